"""Samples on the wire: against other people's codecs, and against the errors that are promised."""

from __future__ import annotations

import io
import struct
import warnings
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.codecs import payload_bytes, payload_from_samples, samples_from_payload
from firmware_bridge.messages import Codec

Float32 = NDArray[np.float32]
EVERY_STEP = np.arange(-32768, 32768)


@pytest.fixture
def audioop() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("audioop", reason="Python 3.13 and later have no audioop")  # type: ignore[no-any-return]


def mono(integers: NDArray[np.int64]) -> Float32:
    return (integers[:, np.newaxis] / 32768).astype(np.float32)


def read(codec: int, payload: bytes, count: int, channels: int = 1) -> Float32:
    samples = samples_from_payload(codec, payload, count, channels)
    assert samples is not None
    return samples


def breath(count: int = 4000) -> Float32:
    rng = np.random.default_rng(6)
    swell = 0.3 * np.sin(2 * np.pi * 300 * np.arange(count) / 8000)
    return (swell + 0.01 * rng.standard_normal(count)).astype(np.float32)[:, np.newaxis]


def test_pcm16_is_little_endian_and_exact() -> None:
    payload = payload_from_samples(Codec.PCM16, mono(EVERY_STEP))
    assert payload == struct.pack("<65536h", *EVERY_STEP)
    np.testing.assert_array_equal(read(Codec.PCM16, payload, 65536), mono(EVERY_STEP))


def test_pcm24_keeps_the_sign_and_every_bit() -> None:
    integers = [-(2**23), -(2**23) + 1, -65536, -257, -256, -1, 0, 1, 255, 256, 65535, 2**23 - 1]
    payload = b"".join(integer.to_bytes(3, "little", signed=True) for integer in integers)
    samples = read(Codec.PCM24, payload, len(integers))
    np.testing.assert_array_equal(samples[:, 0].astype(np.float64) * 2**23, integers)
    assert payload_from_samples(Codec.PCM24, samples) == payload


def test_channels_are_interleaved() -> None:
    samples = read(Codec.PCM16, struct.pack("<6h", 1, -1, 2, -2, 3, -3), 3, channels=2)
    np.testing.assert_array_equal(samples * 32768, [[1, -1], [2, -2], [3, -3]])


@pytest.mark.parametrize("codec", [Codec.PCM16, Codec.PCM24, Codec.MULAW])
def test_what_is_louder_than_full_scale_is_limited_and_not_wrapped(codec: Codec) -> None:
    loud = np.array([[1.0], [7.0], [-1.0], [-7.0]], np.float32)
    samples = read(codec, payload_from_samples(codec, loud), 4)
    np.testing.assert_allclose(samples[:, 0], [1, 1, -1, -1], atol=0.02)


def test_mulaw_reads_and_writes_as_another_implementation_of_g711(audioop: ModuleType) -> None:
    every_byte = bytes(range(256))
    theirs = np.frombuffer(audioop.ulaw2lin(every_byte, 2), np.int16)
    np.testing.assert_array_equal(read(Codec.MULAW, every_byte, 256)[:, 0] * 32768, theirs)
    words = EVERY_STEP.astype(np.int16).tobytes()
    assert payload_from_samples(Codec.MULAW, mono(EVERY_STEP)) == audioop.lin2ulaw(words, 2)


def test_mulaw_errs_by_no_more_than_it_says() -> None:
    payload = payload_from_samples(Codec.MULAW, mono(EVERY_STEP))
    error = np.abs(read(Codec.MULAW, payload, 65536)[:, 0] * 32768 - EVERY_STEP)
    inside = np.abs(EVERY_STEP) < 32636  # the loudest value that G.711 knows
    assert np.all(error[inside] <= np.abs(EVERY_STEP[inside]) / 30 + 7)


def wav_of_ima_block(block: bytes) -> bytes:
    """A WAV file of one IMA ADPCM block (Microsoft's `WAVE_FORMAT_DVI_ADPCM`), whose header's sample is its first."""
    samples = 1 + 2 * (len(block) - 4)
    form = struct.pack("<HHIIHHHH", 0x11, 1, 8000, 4000, len(block), 4, 2, samples)
    body = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in ((b"fmt ", form), (b"fact", struct.pack("<I", samples)), (b"data", block))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


@pytest.mark.parametrize("index", [0, 20, 88])
def test_ima_adpcm_reads_as_libsndfile_does(index: int) -> None:
    soundfile = pytest.importorskip("soundfile")
    nibbles = np.random.default_rng(index).integers(0, 256, 252, np.uint8).tobytes()
    payload = struct.pack("<hBB", -1234, index, 0) + nibbles
    theirs, _ = soundfile.read(io.BytesIO(wav_of_ima_block(payload)), dtype="int16")
    np.testing.assert_array_equal(read(Codec.IMA_ADPCM, payload, 504)[:, 0] * 32768, theirs[1:505])


def test_ima_adpcm_of_a_breath_is_30_db_above_its_noise_and_25_in_the_first_frame() -> None:
    sound = breath()
    frames = [sound[start : start + 160] for start in range(0, len(sound), 160)]
    heard = [read(Codec.IMA_ADPCM, payload_from_samples(Codec.IMA_ADPCM, frame), 160) for frame in frames]
    noise = np.concatenate(heard) - sound
    assert 10 * np.log10(np.mean(sound**2) / np.mean(noise**2)) > 30
    assert 10 * np.log10(np.mean(frames[0] ** 2) / np.mean((heard[0] - frames[0]) ** 2)) > 25


def test_ima_adpcm_of_an_odd_number_of_samples_fills_its_last_byte() -> None:
    payload = payload_from_samples(Codec.IMA_ADPCM, breath(5))
    assert len(payload) == 4 + 3
    assert read(Codec.IMA_ADPCM, payload, 5).shape == (5, 1)


def test_ima_adpcm_stops_at_full_scale() -> None:
    steep = struct.pack("<hBB", 32000, 88, 0) + b"\x77\xff"
    np.testing.assert_array_equal(read(Codec.IMA_ADPCM, steep, 4)[:2, 0] * 32768, [32767, 32767])


@pytest.mark.parametrize(
    ("codec", "payload", "count", "channels"),
    [
        pytest.param(Codec.PCM16, b"\0" * 7, 4, 1, id="a byte short"),
        pytest.param(Codec.PCM16, b"\0" * 8, 3, 1, id="a sample long"),
        pytest.param(Codec.PCM16, b"\0" * 8, 4, 2, id="other channels"),
        pytest.param(Codec.PCM16, b"\0" * 8, 65535, 1, id="a forged count"),
        pytest.param(Codec.PCM16, b"", 0, 0, id="no channel"),
        pytest.param(Codec.IMA_ADPCM, b"\0\0\x59\0" + b"\0" * 4, 8, 1, id="a step index of 89"),
        pytest.param(Codec.IMA_ADPCM, b"\0\0\0", 0, 1, id="half an ADPCM header"),
        pytest.param(Codec.IMA_ADPCM, b"\0" * 8, 8, 2, id="ADPCM of two channels"),
        pytest.param(0, b"", 0, 1, id="no codec"),
        pytest.param(200, b"\0" * 8, 4, 1, id="an unknown codec"),
    ],
)
def test_a_payload_that_is_not_what_its_header_says_is_refused(
    codec: int, payload: bytes, count: int, channels: int
) -> None:
    assert samples_from_payload(codec, payload, count, channels) is None


@given(st.sampled_from(Codec), st.integers(0, 511), st.integers(1, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_codec_gives_back_as_many_samples_as_it_got(codec: Codec, count: int, channels: int, seed: int) -> None:
    channels = 1 if codec == Codec.IMA_ADPCM else channels
    sound = np.random.default_rng(seed).uniform(-1, 1, (count, channels)).astype(np.float32)
    payload = payload_from_samples(codec, sound)
    assert len(payload) == payload_bytes(codec, count, channels)
    samples = read(codec, payload, count, channels)
    assert samples.shape == (count, channels)
    assert samples.dtype == np.float32
    assert np.abs(samples).max(initial=0) <= 1


@given(st.integers(0, 255), st.binary(max_size=1024), st.integers(0, 65535), st.integers(0, 255))
def test_no_bytes_raise(codec: int, payload: bytes, count: int, channels: int) -> None:
    samples_from_payload(codec, payload, count, channels)


def test_what_cannot_be_written_is_told_in_one_line() -> None:
    with pytest.raises(ValueError, match="codec 9 is unknown; choose one of PCM16"):
        payload_from_samples(9, breath(4))
    with pytest.raises(ValueError, match="one channel, not 2"):
        payload_from_samples(Codec.IMA_ADPCM, np.zeros((4, 2), np.float32))
