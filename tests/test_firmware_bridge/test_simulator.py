"""A simulated device and the real host, byte for byte, on a clock that the test holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_bridge.device_ends import DeviceEnd
from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.impairments import Impairments, Way
from firmware_bridge.link import Link
from firmware_bridge.messages import (
    AudioFlag,
    Codec,
    Hello,
    Info,
    MessageType,
    Start,
    Status,
    WindowResult,
    frame_from_message,
    maybe_message,
)
from firmware_bridge.news import News, Told
from firmware_bridge.simulation import simulate
from firmware_bridge.simulator import BOOT_S, Settings, SimulatedDevice
from firmware_bridge.timeline import Chunk

Float32 = NDArray[np.float32]
RATE_HZ = 4000
TURN_S = 0.005


def ramp(duration_s: float) -> Float32:
    """Each sample differs from its neighbours, and PCM16 holds it exactly: float32 [n, 1]."""
    return (np.arange(round(duration_s * RATE_HZ)) % 30000 / 32768).astype(np.float32)[:, np.newaxis]


@dataclass
class Wire(DeviceEnd):
    """Both ends of a transport, and the time."""

    name: str = "wire:"
    now_s: float = 100.0
    takes: bool = True
    to_host: bytearray = field(default_factory=bytearray)
    to_device: bytearray = field(default_factory=bytearray)

    def send(self, data: bytes) -> bool:
        if self.takes:
            self.to_host += data
        return self.takes

    def receive(self) -> bytes:
        return self._drained(self.to_device)

    def read(self, timeout_s: float) -> bytes:
        del timeout_s  # the device's turn lets time pass
        return self._drained(self.to_host)

    def write(self, data: bytes) -> None:
        self.to_device += data

    def close(self) -> None:
        pass

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s

    def clock(self) -> float:
        return self.now_s

    @staticmethod
    def _drained(waiting: bytearray) -> bytes:
        data = bytes(waiting)
        waiting.clear()
        return data


@dataclass
class Heard:
    """What came of a whole recording."""

    device: SimulatedDevice
    way: Way
    link: Link
    news: list[News]

    @property
    def chunks(self) -> list[Chunk]:
        return [each for each in self.news if isinstance(each, Chunk)]

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.news if isinstance(each, Told)]


def hear(samples: Float32, settings: Settings, seed: int = 1, reorder_frames: int = 0, **wrong: float) -> Heard:
    """Let the host hear a simulated device until its recording is over."""
    wire = Wire()
    device = SimulatedDevice(samples, settings, Random(seed), wire.now_s)
    way = Way(Impairments(**wrong), Random(seed))
    link = Link("wire:", lambda: wire, wire.clock, reorder_frames)
    link.open()
    heard = Heard(device, way, link, [])
    for _ in simulate(device, wire, way, wire.clock, wire.sleep):
        heard.news += link.read(0)
    heard.news += link.read(0)
    return heard


def stream_of(heard: Heard) -> Float32:
    """What arrived in its place; NaN for what did not, straight lines included."""
    pieces: list[Float32] = []
    for chunk in heard.chunks:
        absent = np.full(chunk.lost_before + chunk.bridged, np.nan, np.float32)
        pieces += [absent, chunk.samples[chunk.bridged :, 0]]
    return np.concatenate(pieces)


def test_the_host_hears_the_recording_to_the_sample() -> None:
    heard = hear(ramp(12), Settings(RATE_HZ))
    np.testing.assert_array_equal(stream_of(heard), ramp(12)[:, 0])
    assert heard.names == ["device-info", "last-frame"]
    assert heard.link.status is not None
    assert heard.link.status.battery_percent == 100
    assert heard.link.round_trip_s == pytest.approx(TURN_S, abs=TURN_S)
    counters = heard.link.counters
    assert (counters.missing_frames, counters.bad_payloads, counters.unknown_types, counters.early_sound) == (0,) * 4


@pytest.mark.parametrize(("codec", "tolerance"), [(Codec.PCM16, 1e-4), (Codec.PCM24, 1e-6), (Codec.MULAW, 0.02)])
def test_it_speaks_each_codec(codec: Codec, tolerance: float) -> None:
    times_s = np.arange(RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 200 * times_s)).astype(np.float32)[:, np.newaxis]
    heard = hear(tone, Settings(RATE_HZ, codec))
    assert heard.link.info is not None
    assert heard.link.info.codecs[0] == codec
    np.testing.assert_allclose(stream_of(heard), tone[:, 0], atol=tolerance)


def test_adpcm_stays_close_to_a_soft_tone() -> None:
    times_s = np.arange(RATE_HZ) / RATE_HZ
    tone = (0.2 * np.sin(2 * np.pi * 100 * times_s)).astype(np.float32)[:, np.newaxis]
    error = stream_of(hear(tone, Settings(RATE_HZ, Codec.IMA_ADPCM))) - tone[:, 0]
    assert np.sqrt(np.mean(error**2)) < 0.01


@pytest.mark.parametrize("ppm", [-120.0, 7750.0])
def test_the_host_measures_the_crystal(ppm: float) -> None:
    rate = hear(np.zeros((15 * RATE_HZ, 1), np.float32), Settings(RATE_HZ, ppm=ppm)).link.maybe_rate()
    assert rate is not None
    # Frames leave the simulator in turns of 5 ms, as over USB.
    assert rate.ppm == pytest.approx(ppm, abs=max(rate.uncertainty_ppm, 2 * TURN_S / rate.span_s * 1e6))


def test_the_hosts_counters_are_the_faults_that_were_made() -> None:
    heard = hear(ramp(12), Settings(RATE_HZ), loss=0.08, duplicate=0.06, jitter_s=0.008)
    faults = heard.way.faults
    assert faults.lost > 30
    assert faults.duplicated > 15
    # What is lost before the first or after the last frame, and HELLO's answer, cannot be known to be missing.
    assert faults.lost - 3 <= heard.link.counters.missing_frames <= faults.lost
    audio_twice = faults.duplicated - 5
    assert audio_twice <= heard.link.timeline_counters.duplicates <= faults.duplicated
    stream = stream_of(heard)
    came = ~np.isnan(stream)
    np.testing.assert_array_equal(stream[came], ramp(12)[: stream.size, 0][came])


def test_each_frame_that_was_overtaken_is_put_back() -> None:
    heard = hear(ramp(20), Settings(RATE_HZ), reorder_frames=3, reorder=0.05)
    faults, counters = heard.way.faults, heard.link.timeline_counters
    assert faults.reordered > 30
    assert faults.reordered - 15 <= counters.reordered <= faults.reordered, "some were STATUS, INFO or PONG"
    stream = stream_of(heard)
    assert ramp(20).size - stream.size in (0, 64), "of the first two there is no telling that they are in disorder"
    np.testing.assert_array_equal(stream, ramp(20)[-stream.size :, 0])


def test_damage_is_counted_by_what_it_broke_and_never_heard() -> None:
    heard = hear(ramp(12), Settings(RATE_HZ), corrupt=5e-4)
    dropped = heard.link.frame_counters
    broken = dropped.cobs_errors + dropped.crc_errors + dropped.short + dropped.oversize
    corrupted = heard.way.faults.corrupted
    assert corrupted > 30
    assert 0.8 * corrupted <= broken <= 1.1 * corrupted
    # A lost delimiter joins two frames, of which both are lost.
    assert 0.9 * corrupted <= heard.link.counters.missing_frames <= 1.2 * corrupted
    stream = stream_of(heard)
    came = ~np.isnan(stream)
    np.testing.assert_array_equal(stream[came], ramp(12)[: stream.size, 0][came])


def test_each_restart_is_told_and_its_gap_is_as_long_as_the_boot() -> None:
    heard = hear(ramp(10), Settings(RATE_HZ, restart_s=4.0))
    assert heard.device.restarts == heard.device.cut_frames >= 2
    assert heard.names.count("device-restarted") == heard.device.restarts
    assert heard.link.timeline_counters.restarts == heard.device.restarts
    gaps = [chunk.lost_before for chunk in heard.chunks if chunk.anew and chunk.lost_before]
    assert len(gaps) == heard.device.restarts
    # Boot, INFO, START and the rest of the frame that was cut.
    assert all(gap / RATE_HZ == pytest.approx(BOOT_S, abs=0.1) for gap in gaps)


def test_a_boot_id_belongs_to_one_start() -> None:
    wire = Wire()
    device = SimulatedDevice(ramp(100), Settings(RATE_HZ, restart_s=1.0), Random(1), wire.now_s)
    boots = []
    for _ in range(800):
        wire.now_s += TURN_S
        for frame in decoded(device, wire.now_s):
            if isinstance(message := maybe_message(frame), Info):
                boots.append(message.boot_id)
    assert len(boots) == len(set(boots)) == device.restarts + 1 - (wire.now_s < device_is_up_at(device))


def device_is_up_at(device: SimulatedDevice) -> float:
    return device._booted_s


def decoded(device: SimulatedDevice, now_s: float) -> list[Frame]:
    return FrameDecoder().feed(b"".join(parcel.data for parcel in device.due(now_s)))


def said(device: SimulatedDevice, now_s: float, *frames: Frame) -> list[Frame]:
    """What a device answers to frames within a turn."""
    device.take(b"".join(map(encode_frame, frames)), now_s)
    return decoded(device, now_s)


def a_device(samples: Float32 | None = None, **settings: Any) -> SimulatedDevice:
    device = SimulatedDevice(ramp(100) if samples is None else samples, Settings(RATE_HZ, **settings), Random(1), 0.0)
    device.due(0.0)
    return device


def types(frames: Sequence[Frame]) -> list[int]:
    return [frame.type for frame in frames]


def test_it_says_nothing_but_info_until_it_is_asked() -> None:
    device = SimulatedDevice(ramp(1), Settings(RATE_HZ), Random(1), 0.0)
    assert types(decoded(device, 0.0)) == [MessageType.INFO]
    assert decoded(device, 5.0) == []
    assert types(said(device, 5.0, frame_from_message(Hello()))) == [MessageType.INFO]


def test_a_device_that_a_host_cannot_find_says_info_each_second_while_it_is_idle() -> None:
    device = a_device(announces=True)
    heard = [frame.type for turn in range(1, 51) for frame in decoded(device, turn * 0.1)]
    assert heard == [MessageType.INFO] * 5
    said(device, 6.0, frame_from_message(Start()))
    assert MessageType.INFO not in types(decoded(device, 8.0))


def test_ping_is_answered_at_once_with_its_payload_and_the_devices_clock() -> None:
    (pong,) = said(a_device(), 2.5, Frame(MessageType.PING, count=8, payload=b"01234567"))
    assert (pong.type, pong.payload, pong.t_us) == (MessageType.PONG, b"01234567", 2_500_000)


def test_start_counts_from_zero_each_time_and_stop_ends_it() -> None:
    device = a_device()
    for begin_s in (1.0, 3.0):
        assert said(device, begin_s, frame_from_message(Start())) == []
        frames = [frame for frame in decoded(device, begin_s + 0.5) if frame.type == MessageType.AUDIO]
        assert [frame.sample_index for frame in frames] == list(range(0, 64 * len(frames), 64))
        assert len(frames) == int(0.5 * RATE_HZ / 64)
    assert said(device, 3.5, Frame(MessageType.STOP)) == []
    assert decoded(device, 4.0) == []


def test_status_comes_each_second_and_info_every_five() -> None:
    device = a_device()
    said(device, 0.0, frame_from_message(Start()))
    times_s: dict[int, list[float]] = {MessageType.STATUS: [], MessageType.INFO: []}
    for turn in range(1, 1801):
        device.take(encode_frame(Frame(MessageType.PING, count=8, payload=bytes(8))), turn * 0.01)
        for frame in decoded(device, turn * 0.01):
            times_s.get(frame.type, []).append(turn * 0.01)
    assert len(times_s[MessageType.STATUS]) in (17, 18)
    assert len(times_s[MessageType.INFO]) == 3
    assert all(later - sooner == pytest.approx(1, abs=0.02) for sooner, later in pairwise(times_s[MessageType.STATUS]))


def test_a_device_that_nobody_pings_stops_after_ten_seconds() -> None:
    device = a_device()
    said(device, 0.0, frame_from_message(Start()))
    assert decoded(device, 9.9)
    assert device.is_streaming
    decoded(device, 10.1)
    assert not device.is_streaming


def test_the_codec_that_is_asked_for_is_sent_and_one_it_lacks_is_not() -> None:
    device = a_device(codec=Codec.MULAW)
    for asked, sent in ((Codec.PCM16, Codec.PCM16), (Codec.MULAW, Codec.MULAW), (Codec.PCM24, Codec.MULAW)):
        said(device, 1.0, frame_from_message(Start(asked)))
        assert {frame.codec for frame in decoded(device, 1.1) if frame.type == MessageType.AUDIO} == {sent}


def test_full_scale_and_the_last_frame_are_flagged() -> None:
    loud = ramp(0.1)
    loud[70] = 1.0
    device = a_device(loud)
    said(device, 0.0, frame_from_message(Start()))
    flags = [frame.flags for frame in decoded(device, 1.0) if frame.type == MessageType.AUDIO]
    assert flags == [0, AudioFlag.CLIPPED, 0, 0, 0, 0, AudioFlag.LAST]
    assert device.is_over


def test_a_loop_goes_on_without_a_seam_in_its_count() -> None:
    device = a_device(ramp(0.1), loops=True)
    said(device, 0.0, frame_from_message(Start()))
    frames = [frame for frame in decoded(device, 1.0) if frame.type == MessageType.AUDIO]
    samples = np.concatenate([np.frombuffer(frame.payload, "<i2") for frame in frames])
    np.testing.assert_array_equal(samples, np.resize(np.arange(400), samples.size))
    assert not device.is_over


def test_a_result_is_kept_with_the_time_of_its_window() -> None:
    device = a_device()
    result = WindowResult(7000, 2, 81)
    said(device, 0.0, frame_from_message(Start()), frame_from_message(result, sample_index=28000))
    (heard,) = device.results
    assert (heard.end_s, heard.result) == (7.0, result)


def test_what_its_port_does_not_take_is_counted_and_told() -> None:
    wire = Wire()
    device = SimulatedDevice(ramp(10), Settings(RATE_HZ), Random(1), wire.now_s)
    link = Link("wire:", lambda: wire, wire.clock)
    link.open()
    for turn, _ in enumerate(simulate(device, wire, Way(Impairments(), Random(1)), wire.clock, wire.sleep)):
        link.read(0)
        wire.takes = not 400 < turn < 600
    assert link.status is not None
    assert link.status.unsent_frames == device.unsent_frames == link.counters.missing_frames
    assert device.unsent_frames == pytest.approx(200 * TURN_S * RATE_HZ / 64, abs=4)
    assert isinstance(link.status, Status)


def test_another_major_version_is_answered_with_info_and_nothing_else() -> None:
    device = a_device()
    foreign = bytes.fromhex("03a28601010101010101010101010101037fe600")  # PROTOCOL.md, section 11
    device.take(foreign, 1.0)
    assert types(decoded(device, 1.0)) == [MessageType.INFO]
    assert not device.is_streaming


def test_bytes_that_are_no_frames_do_it_no_harm() -> None:
    device = a_device()
    device.take(Random(1).randbytes(100_000), 1.0)
    assert types(said(device, 1.0, Frame(MessageType.STOP), frame_from_message(Hello()))) == [MessageType.INFO]
