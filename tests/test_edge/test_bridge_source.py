"""A device's sound as a source, its restarts and absences, and results on their way back; on a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.audio.bridge import MAX_EVENTS_A_MINUTE, BridgeSource, window_result_from_result
from edge.audio.live_source import Persistence
from edge.audio.pacing import Pace
from edge.audio.source import StoppedWaiting
from edge.errors import AudioDeviceError
from edge.events import Event
from edge.pipeline import Classifier, Pipeline
from edge.quality import Quality, Reason
from edge.results import Result
from firmware_bridge.codecs import payload_from_samples
from firmware_bridge.errors import TransportError
from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import (
    AudioFlag,
    Codec,
    DeviceEvent,
    Info,
    Log,
    Message,
    MessageType,
    ResultFlag,
    WindowResult,
    frame_from_message,
    maybe_message,
)

Float32 = NDArray[np.float32]
RATE_HZ, FRAME = 4000, 40
INFO = Info(boot_id=1, rate_numerator_hz=RATE_HZ, model="test")
URI = "tcp://127.0.0.1:9000"


@dataclass
class Device:
    """A stethoscope that speaks the protocol, and the wire to it; each read lets it record one frame."""

    sound: Float32
    info: Info = INFO
    now_s: float = 100.0
    absent_until_s: float = 0.0
    cut_at_s: float = float("inf")
    loses: Callable[[int], bool] = lambda number: False
    """Frames that go missing on the way."""
    flags: int = 0
    greets: bool = True
    sends_sound: bool = True
    name: str = URI
    results: list[tuple[int, WindowResult]] = field(default_factory=list)
    openings: int = 0
    stopped: bool = False
    recorded: int = 0
    _base: int | None = None
    _seq: int = 0
    _unread: bytearray = field(default_factory=bytearray)
    _heard: FrameDecoder = field(default_factory=FrameDecoder)

    def pace(self) -> Pace:
        return Pace(lambda: self.now_s, self._sleep)

    def open(self) -> Device:
        if self.now_s < self.absent_until_s:
            raise TransportError(f"{URI}: nothing there; plug it in")
        self.openings += 1
        self._unread.clear()
        self._base = None
        return self

    def say(self, message: Message | Frame) -> None:
        frame = message if isinstance(message, Frame) else frame_from_message(message)
        self._seq += 1
        self._unread += encode_frame(replace(frame, seq=self._seq % 65536))

    def restart(self) -> None:
        self._base = None
        self.info = replace(self.info, boot_id=self.info.boot_id + 1)
        self.say(self.info)

    def read(self, timeout_s: float) -> bytes:
        if self.now_s >= self.cut_at_s:
            self.cut_at_s = float("inf")
            raise TransportError(f"{URI}: gone")
        if not self._unread:
            self._sleep(min(timeout_s, FRAME / RATE_HZ) if self._streams else timeout_s)
        if self._streams:
            self._record()
        data = bytes(self._unread)
        self._unread.clear()
        return data

    def write(self, data: bytes) -> None:
        for frame in self._heard.feed(data):
            if frame.type == MessageType.HELLO and self.greets:
                self.say(self.info)
            elif frame.type == MessageType.START:
                self._base = self.recorded
            elif frame.type == MessageType.STOP:
                self.stopped = True
            elif isinstance(message := maybe_message(frame), WindowResult):
                self.results.append((frame.sample_index, message))

    def close(self) -> None:
        self._base = None

    @property
    def _streams(self) -> bool:
        return self._base is not None and self.sends_sound

    def _record(self) -> None:
        """The frame that has just been recorded, unless it gets lost."""
        assert self._base is not None
        index, self.recorded = self.recorded - self._base, self.recorded + FRAME
        samples = np.resize(self.sound, (self.recorded, 1))[-FRAME:]
        frame = Frame(
            MessageType.AUDIO, 0, index % 2**32, 0, Codec.PCM16, self.flags, FRAME,
            payload_from_samples(Codec.PCM16, samples),
        )  # fmt: skip
        if self.loses(index // FRAME):
            self._seq += 1
        else:
            self.say(frame)

    def _sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def ramp(count: int = 100 * RATE_HZ) -> Float32:
    """Each sample differs from its neighbours, and PCM16 holds it exactly."""
    return (np.arange(count) % 30000 / 32768).astype(np.float32)


def source_of(device: Device, max_restarts: int = 5) -> BridgeSource:
    return BridgeSource(URI, device.open, pace=device.pace(), persistence=Persistence(max_restarts))


Blocks = Iterator[AudioBlock]


def until(blocks: Blocks, done: Callable[[AudioBlock], bool]) -> list[AudioBlock]:
    """Blocks, the one that is `done` included."""
    heard = [next(blocks)]
    while not done(heard[-1]):
        heard.append(next(blocks))
    return heard


def during(blocks: Blocks, device: Device, duration_s: float) -> list[AudioBlock]:
    end_s = device.now_s + duration_s
    return until(blocks, lambda block: device.now_s >= end_s)


def events_of(blocks: list[AudioBlock]) -> list[Event]:
    return [event for block in blocks for event in block.events]


def stream_of(blocks: list[AudioBlock]) -> Float32:
    pieces: list[Float32] = []
    for block in blocks:
        pieces += [np.full(block.lost_samples, np.nan, np.float32), block.samples]
    return np.concatenate(pieces)


def test_the_sound_is_the_devices_to_the_sample() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        assert (source.name, source.sample_rate_hz) == (URI, RATE_HZ)
        heard = during(blocks, device, 3.0)
    assert sum(block.lost_samples for block in heard) == 0
    stream = stream_of(heard)
    np.testing.assert_array_equal(stream, ramp()[: stream.size])
    assert stream.size == pytest.approx(3 * RATE_HZ, abs=2 * FRAME)
    assert device.stopped


def test_a_frame_is_handed_on_with_the_read_that_brings_it() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        for number in range(50):
            block = next(blocks)
            assert block.samples.size == FRAME
            assert device.recorded == (number + 1) * FRAME


def test_two_channels_become_their_mean() -> None:
    device = Device(ramp(), info=replace(INFO, channels=2))

    def record() -> None:
        stereo = np.array([[0.5, -0.25], [0.25, 0.25]], np.float32)
        payload = payload_from_samples(Codec.PCM16, stereo)
        device.say(Frame(MessageType.AUDIO, 0, device.recorded, 0, Codec.PCM16, 0, 2, payload))
        device.recorded += 2

    device._record = record  # type: ignore[method-assign]
    with source_of(device) as source:
        np.testing.assert_array_equal(next(source.blocks()).samples, [0.125, 0.25])


def test_what_gets_lost_on_the_way_is_lost_in_the_stream_and_told() -> None:
    device = Device(ramp(), loses=lambda number: number in (10, 20, 21))
    with source_of(device) as source:
        blocks = source.blocks()
        heard = during(blocks, device, 1.0)
    assert [block.lost_samples for block in heard if block.lost_samples] == [FRAME, 2 * FRAME]
    stream = stream_of(heard)
    came = ~np.isnan(stream)
    np.testing.assert_array_equal(stream[came], ramp()[: stream.size][came])
    lost = next(event for event in events_of(heard) if event.name == "sound-lost")
    assert lost.fields == {"cause": "link", "lost_s": 0.01, "times": 1}


@pytest.mark.parametrize("share", [0.01, 0.02, 0.04])
def test_every_window_with_more_than_2_percent_missing_is_refused(
    breathing: Callable[..., Float32], classifier: Classifier, share: float
) -> None:
    lost = np.random.default_rng(5).random(20_000) < share
    lost[0] = False  # it would not be known to have been there
    device = Device(breathing(40, RATE_HZ), loses=lambda number: bool(lost[number]))
    with source_of(device) as source:
        blocks = source.blocks()
        pipeline = Pipeline(classifier, URI, RATE_HZ, 1.0)
        results = [result for block in during(blocks, device, 40) for result in pipeline.push(block)]
    missing_samples = np.repeat(lost, FRAME)
    assert len(results) > 30
    refused = 0
    for result in results:
        missing = missing_samples[round(result.start_s * RATE_HZ) : round(result.end_s * RATE_HZ)].mean()
        gap = next((reason for reason in result.quality.reasons if reason.name == "gap"), None)
        refused += gap is not None
        if missing > 0.02:
            assert gap is not None
            assert result.label is None
    assert refused or share == 0.01


def test_a_device_that_clips_without_full_scale_counts_one_sample_of_each_frame() -> None:
    device = Device(ramp(FRAME * 10), flags=AudioFlag.CLIPPED)
    with source_of(device) as source:
        block = next(source.blocks())
    assert block.clipped_at.tolist() == [FRAME - 1]


def test_a_restart_of_the_device_is_told_and_the_gap_is_as_long_as_it_took() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        before = during(blocks, device, 1.0)
        device.now_s += 1.0
        device.restart()
        after = until(blocks, lambda block: block.samples.size > 0)
        after += during(blocks, device, 1.0)
    names = [event.name for event in events_of(after)]
    assert "device-restarted" in names
    assert "source-lost" not in names
    (gap,) = [block.lost_samples for block in before + after if block.lost_samples]
    assert gap == pytest.approx(RATE_HZ, abs=2 * FRAME)


def test_a_transport_that_fails_is_opened_again_and_the_clock_of_the_stream_goes_on() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        begin_s = device.now_s
        device.cut_at_s = device.now_s + 2.0
        device.absent_until_s = device.now_s + 9.0
        heard = during(blocks, device, 20.0)
    assert [event.name for event in events_of(heard)] == [
        "device-info", "source-lost", *["source-retry"] * 4, "source-resumed",
    ]  # fmt: skip
    assert stream_of(heard).size / RATE_HZ == pytest.approx(device.now_s - begin_s, abs=0.3)
    resumed = events_of(heard)[-1]
    assert resumed.start_s == pytest.approx(2.0, abs=0.1)
    assert device.openings == 2


def test_while_a_device_is_away_blocks_come_all_the_same() -> None:
    device = Device(ramp())
    with source_of(device, max_restarts=1000) as source:
        blocks = source.blocks()
        next(blocks)
        device.cut_at_s, device.absent_until_s = 0.0, float("inf")
        for _ in range(200):
            before_s = device.now_s
            next(blocks)
            assert device.now_s - before_s <= 0.25


def test_a_device_that_falls_silent_is_lost_after_two_seconds() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        during(blocks, device, 1.0)
        silent_from_s = device.now_s
        device.sends_sound = device.greets = False
        lost = until(blocks, lambda block: any(event.name == "source-lost" for event in block.events))
    assert device.now_s - silent_from_s == pytest.approx(2.0, abs=0.25)
    (event,) = lost[-1].events
    assert "no frame for 2 s" in str(event.fields["reason"])
    assert event.fields["idle_s"] == pytest.approx(2.0, abs=0.25)


def test_a_device_that_answers_but_sends_no_sound_is_lost_too() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        during(blocks, device, 1.0)
        device.sends_sound = False
        original = device.write

        def chatty(data: bytes) -> None:
            original(data)
            device.say(INFO)

        device.write = chatty  # type: ignore[method-assign]
        lost = until(blocks, lambda block: any(event.name == "source-lost" for event in block.events))
    assert "answers but sends no sound" in str(lost[-1].events[-1].fields["reason"])


def test_a_device_that_is_given_up_ends_the_stream_in_one_line() -> None:
    device = Device(ramp())
    with source_of(device, max_restarts=2) as source:
        blocks = source.blocks()
        device.cut_at_s, device.absent_until_s = device.now_s + 1, float("inf")
        with pytest.raises(AudioDeviceError, match=r"given up after 2 failed attempts; the last one: .* plug it in"):
            until(blocks, lambda block: device.now_s > 1e6)


def test_a_port_that_is_absent_at_the_start_is_told_at_once() -> None:
    device = Device(ramp(), absent_until_s=float("inf"))
    begin_s = device.now_s
    with pytest.raises(AudioDeviceError, match="nothing there; plug it in"):
        source_of(device)
    assert device.now_s == begin_s


def test_a_device_that_does_not_answer_at_the_start_has_ten_seconds() -> None:
    device = Device(ramp(), greets=False)
    begin_s = device.now_s
    with pytest.raises(AudioDeviceError, match="no frame for 2 s; see whether the device is on"):
        source_of(device)
    assert device.now_s - begin_s == pytest.approx(10, abs=2.3)


def test_a_slow_boot_within_ten_seconds_is_waited_for() -> None:
    device = Device(ramp(), greets=False)
    original = device.read

    def boots(timeout_s: float) -> bytes:
        device.greets = device.now_s > 107
        return original(timeout_s)

    device.read = boots  # type: ignore[method-assign]
    with source_of(device) as source:
        assert next(source.blocks()).samples.size


def test_an_absent_device_may_be_waited_for_and_the_waiting_be_ended() -> None:
    device = Device(ramp(), absent_until_s=112.0)
    told: list[Event] = []

    def turn(block: AudioBlock) -> bool:
        told.extend(block.events)
        return False

    persistence = Persistence(100, waits=True, turn=turn)
    with BridgeSource(URI, device.open, pace=device.pace(), persistence=persistence) as source:
        assert next(source.blocks()).samples.size
    assert told[0].name == "source-absent"
    assert told[-1].name == "source-resumed"
    stopping = Persistence(100, waits=True, turn=lambda _: device.now_s > 200)
    device.absent_until_s = float("inf")
    with pytest.raises(StoppedWaiting):
        BridgeSource(URI, device.open, pace=device.pace(), persistence=stopping)


def test_another_version_at_the_start_ends_in_one_line() -> None:
    device = Device(ramp(), info=replace(INFO, rate_numerator_hz=96000))
    with pytest.raises(AudioDeviceError, match="the device sends 96000 Hz; let it send 4000 to 48000 Hz"):
        source_of(device)


def test_a_device_that_returns_with_another_rate_ends_the_stream() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        during(blocks, device, 1.0)
        device.info = replace(INFO, rate_numerator_hz=8000)
        device.restart()
        with pytest.raises(AudioDeviceError, match="sends 8000 Hz now and sent 4000 Hz before; start again"):
            until(blocks, lambda block: device.now_s > 1e6)


def test_what_the_device_says_becomes_events_and_its_notices_do_not() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        during(blocks, device, 1.0)
        for message in (DeviceEvent(1), DeviceEvent(3, "lifted"), Log(4, "hot"), Log(6, "sample 7")):
            device.say(message)
        events = events_of(during(blocks, device, 0.5))
    assert [(event.name, event.fields.get("text")) for event in events] == [
        ("button", ""), ("contact-lost", "lifted"), ("device-log", "hot"),
    ]  # fmt: skip
    assert events[0].start_s == pytest.approx(1.0, abs=0.1)
    assert {event.source for event in events} == {URI}


def test_a_device_that_talks_without_end_is_cut_short() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        heard: list[Event] = []
        for _ in range(200):
            for _ in range(5):
                device.say(DeviceEvent(1, "x" * 100))
            heard += next(blocks).events
        assert len(heard) == MAX_EVENTS_A_MINUTE
        device.now_s += 61
        device.say(DeviceEvent(1))
        (event,) = (event for event in next(blocks).events if event.name == "button")
    assert event.fields["untold"] == 5 * 200 - MAX_EVENTS_A_MINUTE + 1


def test_results_reach_the_device_with_its_own_count() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        during(blocks, device, 8.0)
        source.take_result(a_result(7.0))
        assert device.results == [(7 * RATE_HZ, WindowResult(7000, 2, 81))]
        device.restart()
        during(blocks, device, 1.0)
        source.take_result(a_result(7.5))
    source.take_result(a_result(8.5))
    assert len(device.results) == 1, "it would not know of which sound"


def a_result(end_s: float, label: str | None = "wheeze", *names: str) -> Result:
    probabilities = {"normal": 0.1, "crackle": 0.05, "wheeze": 0.81, "both": 0.04}
    quality = Quality(tuple(Reason(name, 1.0, 0.0, "share") for name in names))
    return Result(URI, "meditron", end_s - 7, end_s, label, probabilities, quality, "m", "e", 1.0)


def test_a_refused_window_has_no_label_and_says_why() -> None:
    refused = window_result_from_result(a_result(7.0, None, "gap", "clipping", "hum"))
    assert refused == WindowResult(7000, 255, 0, ResultFlag.REFUSED | ResultFlag.GAP | ResultFlag.CLIPPING)
    silent = window_result_from_result(a_result(7.0, None, "silence"))
    assert silent.flags == ResultFlag.REFUSED | ResultFlag.SILENCE


def test_frames_in_one_read_make_one_block() -> None:
    device = Device(ramp())
    with source_of(device) as source:
        blocks = source.blocks()
        next(blocks)
        for _ in range(4):
            device.now_s += FRAME / RATE_HZ
            device._record()
        block = next(blocks)
    assert block.samples.size == 5 * FRAME
    np.testing.assert_array_equal(block.samples, ramp()[FRAME : 6 * FRAME])
