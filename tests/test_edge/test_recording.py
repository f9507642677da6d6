"""WAV and FLAC files, whole and as a stream."""

from __future__ import annotations

import struct
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.audio.pacing import Pace, paced
from edge.audio.recording import BLOCK_S, RecordingSource, read_recording
from edge.audio.source import open_source

soundfile = pytest.importorskip("soundfile")

RATE_HZ = 4000


@pytest.fixture
def stereo() -> NDArray[np.float64]:
    """Two channels, 0.9 s, that differ."""
    return np.random.default_rng(3).uniform(-0.9, 0.9, (3600, 2))


@pytest.mark.parametrize(
    ("format_name", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "PCM_32", 2**-23),
        ("WAV", "FLOAT", 2**-23),
        ("WAV", "DOUBLE", 2**-23),
        ("WAVEX", "PCM_24", 2**-23),
        ("RF64", "PCM_16", 2**-15),
        ("FLAC", "PCM_S8", 2**-7),
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
    ],
)
def test_every_sample_format_gives_the_mean_of_the_channels(
    format_name: str, subtype: str, step: float, stereo: NDArray[np.float64], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "sound", stereo, RATE_HZ, format=format_name, subtype=subtype)
    recording = read_recording(tmp_path / "sound")
    assert recording.sample_rate_hz == RATE_HZ
    assert recording.samples.dtype == np.float32
    np.testing.assert_allclose(recording.samples, stereo.mean(axis=1), rtol=0, atol=1.01 * step)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_integer_samples_are_scaled_by_the_full_scale_of_their_width(bits: int, tmp_path: Path) -> None:
    """The standard library's `wave` writes the bytes, so libsndfile does not check itself."""
    levels = np.array([-(2 ** (bits - 1)), -1, 0, 1, 2 ** (bits - 1) - 1])
    stored = levels + 128 if bits == 8 else levels
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, bits // 8, RATE_HZ, 0, "NONE", ""))
        file.writeframes(b"".join(int(level).to_bytes(bits // 8, "little", signed=bits > 8) for level in stored))
    samples = read_recording(tmp_path / "sound.wav").samples
    np.testing.assert_array_equal(samples, (levels / 2 ** (bits - 1)).astype(np.float32))


@pytest.mark.parametrize("rate_hz", [4000, 8000, 10_000, 16_124, 44_100, 48_000])
def test_any_rate_from_4_to_48_khz_is_read_as_it_is(rate_hz: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", np.zeros(rate_hz), rate_hz)
    assert read_recording(tmp_path / "sound.wav").sample_rate_hz == rate_hz


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_every_sixteen_bit_sample_is_the_number_that_libsndfile_makes_of_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"all.{suffix}"
    soundfile.write(path, np.arange(-(1 << 15), 1 << 15).astype(np.int16), 8000)
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read_recording(path).samples, expected)


def test_a_recording_of_one_sample_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.flac", np.array([0.5]), RATE_HZ)
    np.testing.assert_array_equal(read_recording(tmp_path / "sound.flac").samples, [0.5])


def test_samples_that_are_no_numbers_become_zero_and_are_named(tmp_path: Path) -> None:
    sound = np.full((3000, 2), 0.25, np.float32)
    sound[5, 0], sound[1500, 1], sound[2999, 0] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "sound.wav", sound, RATE_HZ, subtype="FLOAT")
    recording = read_recording(tmp_path / "sound.wav")
    np.testing.assert_array_equal(recording.invalid_at, [5, 1500, 2999])
    assert np.isfinite(recording.samples).all()
    np.testing.assert_array_equal(recording.samples[[5, 1500, 2999]], 0.125)
    np.testing.assert_array_equal(np.delete(recording.samples, [5, 1500, 2999]), 0.25)


def test_clipping_in_one_channel_is_seen_though_the_mean_is_quiet(tmp_path: Path) -> None:
    sound = np.zeros((3000, 2))
    sound[7, 0], sound[2000, 1] = 1.0, -1.0
    soundfile.write(tmp_path / "sound.wav", sound, RATE_HZ, subtype="PCM_16")
    recording = read_recording(tmp_path / "sound.wav")
    np.testing.assert_array_equal(recording.clipped_at, [7, 2000])
    assert np.abs(recording.samples).max() == pytest.approx(0.5, abs=1e-4)


def test_floats_beyond_full_scale_are_limited_and_count_as_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", np.array([0.5, 3.0, -7.0]), RATE_HZ, subtype="FLOAT")
    recording = read_recording(tmp_path / "sound.wav")
    np.testing.assert_array_equal(recording.samples, [0.5, 1.0, -1.0])
    np.testing.assert_array_equal(recording.clipped_at, [1, 2])


def test_a_stream_delivers_the_whole_file_in_blocks(stereo: NDArray[np.float64], tmp_path: Path) -> None:
    block_frames = round(BLOCK_S * RATE_HZ)
    soundfile.write(tmp_path / "sound.wav", np.resize(stereo, (3 * block_frames + 600, 2)), RATE_HZ)
    with open_source(str(tmp_path / "sound.wav"), realtime=False) as source:
        assert (source.name, source.sample_rate_hz, source.sections) == (str(tmp_path / "sound.wav"), RATE_HZ, ())
        blocks = list(source.blocks())
    assert [block.samples.size for block in blocks] == [block_frames] * 3 + [600]
    np.testing.assert_array_equal(
        np.concatenate([block.samples for block in blocks]), read_recording(tmp_path / "sound.wav").samples
    )


def test_a_long_recording_streams_in_little_memory(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", np.zeros((60 * 48_000, 2), np.int16), 48_000)
    assert memory_while_streaming(tmp_path / "sound.wav") < 6_000_000


def test_a_recording_of_a_thousand_channels_streams_in_little_memory(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", np.zeros((5000, 1000), np.int16), 48_000)
    assert memory_while_streaming(tmp_path / "sound.wav") < 12_000_000


def memory_while_streaming(path: Path) -> int:
    """The most bytes that were in use while all of a recording was read."""
    tracemalloc.start()
    try:
        with RecordingSource(path) as source:
            for _ in source.blocks():
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("announced_bytes", [0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF])
def test_a_wav_file_whose_recorder_never_wrote_the_length_is_read(announced_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.full(4000, 0.5), RATE_HZ, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", announced_bytes)
    path.write_bytes(content)
    np.testing.assert_allclose(read_recording(path).samples, np.full(4000, 0.5), atol=1e-4)


class FakeTime:
    """A clock that moves when something sleeps or works."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


def test_in_real_time_each_block_comes_when_its_last_sample_would_be_heard(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", np.zeros(4100), RATE_HZ)
    time = FakeTime()
    with open_source(str(tmp_path / "sound.wav"), realtime=True, pace=Pace(time.clock, time.pass_by)) as source:
        arrived_s = [time.now_s for _ in source.blocks()]
    np.testing.assert_allclose(arrived_s, [100.25, 100.5, 100.75, 101.0, 101.025])


def test_a_slow_consumer_of_real_time_sound_catches_up_without_drift() -> None:
    time = FakeTime()
    blocks = (AudioBlock(np.zeros(400, np.float32)) for _ in range(5))
    arrived_s = []
    for _ in paced(blocks, RATE_HZ, Pace(time.clock, time.pass_by)):
        arrived_s.append(time.now_s)
        time.pass_by(0.25 if len(arrived_s) == 1 else 0.01)
    np.testing.assert_allclose(arrived_s, [100.1, 100.35, 100.36, 100.4, 100.5])


def test_not_in_real_time_nothing_waits(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", np.zeros(8000), RATE_HZ)
    time = FakeTime()
    with open_source(str(tmp_path / "sound.wav"), realtime=False, pace=Pace(time.clock, time.pass_by)) as source:
        assert sum(block.samples.size for block in source.blocks()) == 8000
    assert time.now_s == 100.0


@pytest.mark.parametrize("token", ["Litt3200", "LittC2SE", "Meditron", "AKGC417L"])
def test_a_real_recording_of_each_stethoscope_lasts_as_long_as_its_annotation(token: str, shared_data: Path) -> None:
    path = min((shared_data / "icbhi" / "audio_and_txt_files").glob(f"*_{token}.flac"))
    recording = read_recording(path)
    last_cycle = path.with_suffix(".txt").read_text().split("\n")[-2].split("\t")
    assert recording.samples.size / recording.sample_rate_hz == pytest.approx(float(last_cycle[1]), abs=2.0)
    assert recording.invalid_at.size == 0
    assert 1e-4 < np.abs(recording.samples).max() <= 1
