"""A device and the host, byte for byte, on a wire and a clock that the test holds."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.codecs import payload_from_samples
from firmware_bridge.errors import ProtocolError, SoundChangedError, TransportError
from firmware_bridge.frame import CRC, CRC_START, HEADER, Frame, FrameDecoder, encode_frame, stuff
from firmware_bridge.link import Link
from firmware_bridge.messages import (
    AudioFlag,
    Codec,
    DeviceEvent,
    DeviceState,
    Info,
    Log,
    Message,
    MessageType,
    Start,
    Status,
    WindowResult,
    frame_from_message,
    maybe_message,
)
from firmware_bridge.news import News, Told
from firmware_bridge.session import Phase
from firmware_bridge.timeline import Chunk

RATE_HZ, FRAME = 4000, 128
INFO = Info(boot_id=1, rate_numerator_hz=RATE_HZ, model="test", firmware="t1")


class Wire:
    """Bytes both ways, until it is cut."""

    name = "wire:"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.to_host = bytearray()
        self.to_device = FrameDecoder()
        self.heard: list[Frame] = []
        self.closed = self.cut = self.cut_after_reading = False

    def read(self, timeout_s: float) -> bytes:
        self._check()
        if not self.to_host:
            self._bench.now_s += timeout_s
        data = bytes(self.to_host) or self._bench.drone
        self.to_host.clear()
        self.cut |= self.cut_after_reading
        return data

    def write(self, data: bytes) -> None:
        self._check()
        self.heard += self.to_device.feed(data)

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        assert not self.closed
        if self.cut:
            raise TransportError("wire: unplugged; plug it in")


@dataclass
class Bench:
    """A host's link, and a device of which the test decides each word."""

    reorder_frames: int = 0
    now_s: float = 100.0
    wires: list[Wire] = field(default_factory=list)
    absent: bool = False
    drone: bytes = b""
    """What comes where the device says nothing."""
    seq: int = 0
    news: list[News] = field(default_factory=list)
    """All that the link has told."""

    def __post_init__(self) -> None:
        self.link = Link("wire:", self._open, lambda: self.now_s, self.reorder_frames)

    def _open(self) -> Wire:
        if self.absent:
            raise TransportError("wire: no such wire; plug it in")
        self.wires.append(Wire(self))
        return self.wires[-1]

    @property
    def wire(self) -> Wire:
        return self.wires[-1]

    def said(self) -> list[MessageType]:
        """What the host has said since the last time."""
        heard = [MessageType(frame.type) for frame in self.wire.heard]
        self.wire.heard.clear()
        return heard

    def send(self, *messages: Message | Frame) -> None:
        """What the device says next, numbered."""
        for message in messages:
            frame = message if isinstance(message, Frame) else frame_from_message(message)
            self.wire.to_host += encode_frame(replace(frame, seq=self.seq % 65536))
            self.seq += 1

    def hear(self, *messages: Message | Frame) -> list[News]:
        """The same, and what the host makes of it."""
        self.send(*messages)
        return self._read(0.2)

    def pass_s(self, duration_s: float) -> list[News]:
        """Silence."""
        news: list[News] = []
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-9:
            news += self._read(min(0.2, end_s - self.now_s))
        return news

    def _read(self, timeout_s: float) -> list[News]:
        news = self.link.read(timeout_s)
        self.news += news
        return news

    def stream(self) -> None:
        """The handshake, and the first frame of sound."""
        self.link.open()
        self.hear(INFO)
        self.hear(sound(0))
        assert self.link.phase is Phase.STREAMING
        self.said()


def sound(number: int, flags: int = 0, *, t_us: int = 0, codec: Codec = Codec.PCM16, channels: int = 1) -> Frame:
    """A device's frame `number`, from 0, whose samples are `number` steps high."""
    samples = np.full((FRAME, channels), number / 32768, np.float32)
    payload = payload_from_samples(codec, samples)
    return Frame(MessageType.AUDIO, 0, number * FRAME % 2**32, t_us, codec, flags, FRAME, payload)


def chunks(news: Sequence[News]) -> list[Chunk]:
    return [each for each in news if isinstance(each, Chunk)]


def told(news: Sequence[News]) -> list[str]:
    return [each.name for each in news if isinstance(each, Told)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def streaming(bench: Bench) -> Bench:
    bench.stream()
    return bench


def test_the_handshake_leads_from_hello_to_sound(bench: Bench) -> None:
    bench.link.open()
    assert bench.said() == [MessageType.HELLO]
    (device,) = bench.hear(INFO)
    assert isinstance(device, Told)
    assert (device.name, device.fields["model"], device.fields["sample_rate_hz"]) == ("device-info", "test", 4000)
    assert bench.said() == [MessageType.START]
    (chunk,) = chunks(bench.hear(sound(0)))
    assert (chunk.start_sample, chunk.lost_before, len(chunk.samples)) == (0, 0, FRAME)
    bench.link.close()
    assert bench.said() == [MessageType.STOP]
    assert bench.wire.closed
    bench.link.close()


def test_words_that_were_not_heard_are_said_again_each_second(bench: Bench) -> None:
    bench.link.open()
    bench.pass_s(1.5)
    assert bench.said() == [MessageType.HELLO] * 2
    bench.hear(INFO)
    bench.pass_s(1.5)
    assert bench.said() == [MessageType.START, MessageType.START, MessageType.PING]


def test_each_word_of_the_host_is_numbered(bench: Bench) -> None:
    bench.link.open()
    bench.pass_s(1.9)
    bench.hear(INFO)
    assert [frame.seq for frame in bench.wire.heard] == [1, 2, 3]


def test_sound_before_info_is_dropped_and_counted(bench: Bench) -> None:
    bench.link.open()
    assert bench.hear(sound(0), sound(1)) == []
    assert bench.link.counters.early_sound == 2


def test_a_device_is_asked_for_the_first_of_its_codecs_that_the_host_knows(bench: Bench) -> None:
    bench.link.open()
    bench.hear(replace(INFO, codecs=bytes([99, Codec.IMA_ADPCM, Codec.MULAW]), channels=2))
    start = maybe_message(bench.wire.heard[-1])
    assert start == Start(Codec.MULAW)
    (chunk,) = chunks(bench.hear(sound(4, codec=Codec.MULAW, channels=2)))
    assert chunk.samples.shape == (FRAME, 2)


def test_a_ping_shows_the_round_trip_and_how_old_sound_is(streaming: Bench) -> None:
    streaming.pass_s(1.0)
    (ping,) = (frame for frame in streaming.wire.heard if frame.type == MessageType.PING)
    streaming.now_s += 0.030
    device_us = 2**32 - 10_000  # about to wrap
    streaming.hear(Frame(MessageType.PONG, t_us=device_us, count=8, payload=ping.payload))
    assert streaming.link.round_trip_s == pytest.approx(0.030)
    streaming.now_s += 0.060
    streaming.hear(sound(1, t_us=25_000))
    assert streaming.link.sound_age_s == pytest.approx(0.060 + 0.015 - 0.035)


def test_a_pong_that_answers_nothing_is_not_believed(streaming: Bench) -> None:
    streaming.hear(Frame(MessageType.PONG, t_us=5, count=8, payload=b"12345678"))
    assert streaming.link.round_trip_s is None


def test_two_seconds_of_silence_close_the_transport_and_say_so(streaming: Bench) -> None:
    with pytest.raises(TransportError, match=r"wire:: no frame for 2 s; see whether the device is on"):
        streaming.pass_s(3)
    assert streaming.wire.closed
    assert streaming.link.phase is Phase.CLOSED
    with pytest.raises(TransportError, match="not open"):
        streaming.link.read(0.1)


def test_bytes_without_a_frame_are_silence_and_point_at_the_baud_rate(bench: Bench) -> None:
    bench.link.open()
    bench.drone = b"\x12\x34\0" * 100
    with pytest.raises(TransportError, match=r"bytes came, but no frame; see whether .* this baud rate"):
        bench.pass_s(3)


def test_the_echo_of_its_own_words_is_no_device(bench: Bench) -> None:
    bench.link.open()
    bench.drone = b"".join(map(encode_frame, bench.wire.heard))
    assert bench.said() == [MessageType.HELLO]
    with pytest.raises(TransportError, match="no frame for 2 s"):
        bench.pass_s(3)
    assert bench.link.info is None


def test_after_reopening_the_stream_goes_on_behind_a_gap_of_the_time_that_passed(streaming: Bench) -> None:
    end = streaming.link.position
    streaming.wire.cut = True
    with pytest.raises(TransportError, match="unplugged"):
        streaming.link.read(0.2)
    away_since_s = streaming.now_s
    streaming.now_s += 3.0
    (passed,) = chunks(streaming.link.pass_time())
    assert passed.lost_before == 2.5 * RATE_HZ
    streaming.link.open()
    assert streaming.said() == [MessageType.HELLO]
    streaming.hear(INFO)
    streaming.now_s += 1.0
    (chunk,) = chunks(streaming.hear(sound(0)))
    assert chunk.start_sample == end + round((streaming.now_s - away_since_s) * RATE_HZ) - FRAME
    assert streaming.link.counters.openings == 2


def test_no_time_passes_while_the_device_streams(streaming: Bench) -> None:
    streaming.now_s += 1.0
    assert streaming.link.pass_time() == []
    (chunk,) = chunks(streaming.hear(sound(1)))
    assert chunk.lost_before == 0


def test_a_transport_that_cannot_be_opened_says_why_and_may_be_tried_again(bench: Bench) -> None:
    bench.absent = True
    with pytest.raises(TransportError, match="no such wire"):
        bench.link.open()
    assert bench.link.phase is Phase.CLOSED
    bench.absent = False
    bench.stream()


def test_sound_that_came_before_a_failed_word_is_not_lost(streaming: Bench) -> None:
    streaming.now_s += 1.5  # a PING is due
    streaming.send(sound(1))
    streaming.wire.cut_after_reading = True
    assert len(chunks(streaming.link.read(0.2))) == 1
    with pytest.raises(TransportError, match="unplugged"):
        streaming.link.read(0.2)
    assert streaming.link.phase is Phase.CLOSED


def test_another_boot_id_is_told_and_sound_asked_for_anew(streaming: Bench) -> None:
    streaming.now_s += 1.0
    news = streaming.hear(replace(INFO, boot_id=2))
    assert told(news) == ["device-restarted", "device-info"]
    assert streaming.said() == [
        MessageType.START,
    ]
    (chunk,) = chunks(streaming.hear(sound(0)))
    assert chunk.lost_before == RATE_HZ - FRAME
    assert streaming.link.timeline_counters.restarts == 1


def test_a_repeated_info_changes_nothing(streaming: Bench) -> None:
    assert streaming.hear(INFO) == []
    (chunk,) = chunks(streaming.hear(sound(1)))
    assert chunk.lost_before == 0
    assert streaming.said() == []


def test_a_device_that_talks_but_sends_no_sound_is_told_to_start(streaming: Bench) -> None:
    for _ in range(6):
        streaming.now_s += 0.4
        streaming.hear(Status(state=DeviceState.IDLE))
    assert MessageType.START in streaming.said()
    assert streaming.link.phase is Phase.STARTING
    assert streaming.link.status == Status(state=DeviceState.IDLE)


def foreign(major: int, magic: int = 0xA0) -> bytes:
    body = HEADER.pack(magic | major, 2, 0, 0, 0, 0, 0, 0)
    return stuff(body + CRC.pack(crc_hqx(body, CRC_START))) + b"\0"


def test_another_major_version_is_refused_in_one_line(bench: Bench) -> None:
    bench.link.open()
    bench.wire.to_host += foreign(2)
    bench.link.read(0.2)
    with pytest.raises(ProtocolError, match=r"^wire:: the device speaks version 2 .*this program version 1; update"):
        bench.link.read(0.2)
    assert bench.wire.closed
    assert bench.link.phase is Phase.REFUSED


def test_a_frame_of_another_protocol_is_no_version(bench: Bench) -> None:
    bench.link.open()
    bench.wire.to_host += foreign(1, magic=0x50)
    bench.link.read(0.2)
    bench.hear(INFO)
    assert bench.link.phase is Phase.STARTING


def test_damage_that_looks_like_another_version_does_not_end_a_stream(streaming: Bench) -> None:
    streaming.wire.to_host += foreign(2)
    streaming.link.read(0.2)
    assert len(chunks(streaming.hear(sound(1)))) == 1


def test_a_higher_minor_version_is_warned_of_once(bench: Bench) -> None:
    bench.link.open()
    newer = replace(INFO, minor_version=3)
    news = bench.hear(newer)
    assert told(news) == ["newer-version", "device-info"]
    assert next(each.fields for each in news if isinstance(each, Told)) == {"minor_version": 3}
    assert told(bench.hear(newer, sound(0))) == []


@pytest.mark.parametrize(
    ("info", "line"),
    [
        (replace(INFO, rate_numerator_hz=2000), r"sends 2000 Hz; let it send 4000 to 48000 Hz"),
        (replace(INFO, rate_numerator_hz=2**32 - 1), r"sends 4\.29497e\+09 Hz; let it send 4000"),
        (replace(INFO, channels=3), r"sends 3 channels; let it send one or two"),
        (replace(INFO, codecs=bytes([20, 21])), r"offers codecs \[20, 21\]; let it offer one of 1 \(PCM16\)"),
        (replace(INFO, codecs=bytes([Codec.IMA_ADPCM]), channels=2), r"offers codecs \[4\]"),
    ],
)
def test_sound_that_the_host_does_not_take_is_refused_in_one_line(bench: Bench, info: Info, line: str) -> None:
    bench.link.open()
    bench.hear(info)
    with pytest.raises(ProtocolError, match=line):
        bench.link.read(0.2)


def test_a_device_that_returns_with_another_rate_is_refused(streaming: Bench) -> None:
    streaming.hear(replace(INFO, boot_id=2, rate_numerator_hz=8000))
    with pytest.raises(SoundChangedError, match="sends 8000 Hz now and sent 4000 Hz before; start again"):
        streaming.link.read(0.2)


def test_a_rate_that_no_host_takes_is_no_other_device_to_start_again_for(streaming: Bench) -> None:
    streaming.hear(replace(INFO, rate_numerator_hz=1))
    with pytest.raises(ProtocolError, match="sends 1 Hz; let it send 4000 to 48000 Hz") as refused:
        streaming.link.read(0.2)
    assert not isinstance(refused.value, SoundChangedError)


def test_what_the_device_says_is_told(streaming: Bench) -> None:
    news = streaming.hear(
        DeviceEvent(1), DeviceEvent(3, "lifted"), DeviceEvent(4), DeviceEvent(77, "?"), Log(4, "full\x1b[2J\n"),
        Status(battery_percent=17),
    )  # fmt: skip
    assert [(each.name, dict(each.fields)) for each in news if isinstance(each, Told)] == [
        ("button", {"text": ""}),
        ("contact-lost", {"text": "lifted"}),
        ("battery-low", {"text": ""}),
        ("device-event", {"code": 77, "text": "?"}),
        ("device-log", {"severity": 4, "text": "full [2J "}),
    ]
    assert streaming.link.status == Status(battery_percent=17)


def test_the_flags_of_sound_are_told_when_they_change(streaming: Bench) -> None:
    off = AudioFlag.LIFTED_OFF
    assert told(streaming.hear(sound(1, off), sound(2, off), sound(3), sound(4, AudioFlag.LAST))) == [
        "contact-lost", "contact-made", "last-frame",
    ]  # fmt: skip
    streaming.hear(sound(5, AudioFlag.OVERRUN_BEFORE))
    assert streaming.link.counters.overruns == 1


def test_a_rate_that_is_off_is_told_once(bench: Bench) -> None:
    bench.link.open()
    bench.hear(INFO)
    begin_s, news = bench.now_s, []
    for number in range(1000):
        bench.now_s = begin_s + number * FRAME / (RATE_HZ * 1.00775)
        news += bench.hear(sound(number))
    (off,) = (each for each in news if isinstance(each, Told))
    assert off.name == "rate-off"
    assert off.fields["declared_hz"] == 4000
    assert off.fields["measured_hz"] == pytest.approx(4031, abs=1)
    assert off.fields["ppm"] == pytest.approx(7750, abs=100)


def test_a_result_goes_back_with_the_devices_own_count(streaming: Bench) -> None:
    streaming.hear(*(sound(number) for number in range(1, 10)))
    result = WindowResult(window_ms=7000, label=2, confidence_percent=81)
    streaming.link.send_result(result, end_sample=5 * FRAME)
    (frame,) = streaming.wire.heard
    assert (frame.type, frame.sample_index, maybe_message(frame)) == (MessageType.RESULT, 5 * FRAME, result)


def test_a_result_of_before_a_restart_and_one_without_a_device_are_kept_back(streaming: Bench) -> None:
    result = WindowResult(7000, 0, 50)
    streaming.now_s += 1
    streaming.hear(replace(INFO, boot_id=2))
    streaming.hear(sound(0))
    streaming.said()
    streaming.link.send_result(result, end_sample=FRAME)
    assert streaming.said() == []
    streaming.link.close()
    streaming.link.send_result(result, end_sample=streaming.link.position)
    assert streaming.link.counters.results == 0


def test_frames_that_are_missing_by_their_number_are_counted(streaming: Bench) -> None:
    streaming.hear(sound(1))
    streaming.seq += 3
    streaming.hear(sound(5))
    assert streaming.link.counters.missing_frames == 3
    streaming.seq = 30000  # counted anew
    streaming.hear(sound(6))
    assert streaming.link.counters.missing_frames == 3


def test_what_is_no_message_is_counted_and_skipped(streaming: Bench) -> None:
    short = Frame(MessageType.AUDIO, 0, FRAME, 0, Codec.PCM16, 0, 100, b"\0" * 7)
    without_boot_id = Frame(MessageType.INFO, count=3, payload=b"\x01\x01\x00")
    empty_event = Frame(MessageType.EVENT)
    assert streaming.hear(short, without_boot_id, empty_event, Frame(0x3F), Frame(0x55), Frame(0xC1)) == []
    assert streaming.link.counters.bad_payloads == 3
    assert streaming.link.counters.unknown_types == 3
    assert len(chunks(streaming.hear(sound(1)))) == 1


def test_frames_that_overtook_each_other_are_put_back() -> None:
    bench = Bench(reorder_frames=1)
    bench.stream()
    assert chunks(bench.hear(sound(2))) == []
    bench.seq -= 2
    both = chunks(bench.hear(sound(1)))
    assert [chunk.start_sample for chunk in both] == [FRAME, 2 * FRAME]
    bench.seq += 2
    assert chunks(bench.hear(sound(4))) == []
    (late,) = chunks(bench.pass_s(0.1))
    assert late.start_sample == 4 * FRAME


FRAMES = st.builds(
    Frame, st.sampled_from([1, 2, 3, 4, 5, 6, 9, 0x81, 0x90]), st.integers(0, 65535), st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 255), st.integers(0, 600), st.binary(max_size=60),
)  # fmt: skip


SOUND = st.builds(sound, st.integers(0, 50))


@given(st.lists(st.one_of(FRAMES, SOUND, st.just(INFO), st.binary(max_size=40), st.floats(0, 3))))
@settings(max_examples=60, deadline=None)
def test_whatever_a_peer_sends_the_stream_is_whole_and_errors_are_the_links_own(
    acts: list[Frame | bytes | float | Info],
) -> None:
    bench = Bench(reorder_frames=1)
    bench.link.open()
    for act in acts:
        try:
            if isinstance(act, bytes):
                bench.wire.to_host += act
                bench.pass_s(0.1)
            elif isinstance(act, float):
                bench.pass_s(act)
            else:
                bench.hear(act)
        except ProtocolError:
            return
        except TransportError:
            bench.news += bench.link.pass_time()
            bench.link.open()
    end = 0
    for chunk in chunks(bench.news):
        assert chunk.start_sample == end + chunk.lost_before
        end = chunk.end_sample
    assert end == bench.link.position
