"""Unframed PCM: its formats, its warning, and samples cut anew where bytes were evidently lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_bridge.errors import TransportError
from firmware_bridge.link import Link
from firmware_bridge.news import News, Told
from firmware_bridge.raw_format import RawFormat, maybe_raw_format, samples_from_bytes
from firmware_bridge.raw_pcm import PHASE_SAMPLES, REALIGNED, UNNOTICED, RawPcmTransport, evident_shift
from firmware_bridge.timeline import Chunk
from firmware_bridge.transports.transport import Transport

Float32 = NDArray[np.float32]
RATE_HZ = 4000
S16LE = RawFormat(RATE_HZ, 2, is_big_endian=False, is_offset_binary=False)


class Wire(Transport):
    """Carries what it was given, a piece a read; its clock goes on a little with each."""

    name = "serial:///dev/ttyACM0?raw=s16le&rate=4000"

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.now_s = 0.0

    def read(self, timeout_s: float) -> bytes:
        del timeout_s
        self.now_s += 0.04
        return next(self._pieces, b"")

    def write(self, data: bytes) -> None:
        raise AssertionError("a sender of bare samples is told nothing")

    def close(self) -> None:
        pass


def raw(name: str, channels: int = 1, channel: int = 1) -> RawFormat:
    written = maybe_raw_format(name, RATE_HZ, channels, channel)
    assert written is not None
    return written


def news_of(pieces: Iterable[bytes], written: RawFormat, *, warns: bool = True) -> list[News]:
    """What a link makes of them; nothing of the first piece, as START is said before it is asked for."""
    pieces = [b"", *pieces]
    wire = Wire(pieces)
    link = Link(wire.name, lambda: RawPcmTransport(wire, written, 1, warns=warns), lambda: wire.now_s)
    link.open()
    return [news for _ in range(len(pieces) + 3) for news in link.read(0.0)]


def sound_of(news: Iterable[News]) -> Float32:
    chunks = [each.samples[:, 0] for each in news if isinstance(each, Chunk)]
    return np.concatenate([np.zeros(0, np.float32), *chunks])


def texts_of(news: Iterable[News]) -> list[object]:
    return [each.fields["text"] for each in news if isinstance(each, Told) and each.name == "device-log"]


def breath(count: int, level: float = 0.05) -> Float32:
    """Noise that a second-order resonance at 300 Hz colours, as breath sounds are."""
    noise = np.random.default_rng(1).standard_normal(count)
    kernel = 0.98 ** np.arange(200) * np.sin(2 * np.pi * 300 / RATE_HZ * np.arange(200))
    sound = np.convolve(noise, kernel)[:count]
    return np.asarray((level * sound / sound.std()).clip(-1, 1), np.float32)


def s16le(samples: Float32) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("u8", "00 80 ff", [-1, 0, 127 / 128]),
        ("s8", "80 00 7f", [-1, 0, 127 / 128]),
        ("s16le", "0080 0000 0040 ff7f", [-1, 0, 0.5, 32767 / 32768]),
        ("s16be", "8000 0000 4000 7fff", [-1, 0, 0.5, 32767 / 32768]),
        ("u16le", "0000 0080 00c0", [-1, 0, 0.5]),
        ("u16be", "0000 8000 c000", [-1, 0, 0.5]),
        ("s24le", "000080 000000 000040 010000", [-1, 0, 0.5, 2**-23]),
        ("s24be", "800000 000000 400000 000001", [-1, 0, 0.5, 2**-23]),
        ("s32le", "00000080 00000000 00000040 ff010000", [-1, 0, 0.5, 2**-23]),
        ("u32be", "00000000 80000000 c0000000", [-1, 0, 0.5]),
    ],
)
def test_a_format_means_what_its_name_says(name: str, data: str, expected: list[float]) -> None:
    assert samples_from_bytes(bytes.fromhex(data), raw(name)).tolist() == expected


@pytest.mark.parametrize("name", ["", "s16", "s8le", "f32le", "s12le", "S16LE", "s16le "])
def test_what_is_no_format_is_none(name: str) -> None:
    assert maybe_raw_format(name, RATE_HZ) is None


def test_one_channel_of_several_is_taken() -> None:
    data = bytes.fromhex("0040 00c0 0020 00e0")
    assert samples_from_bytes(data, raw("s16le", 2, 1)).tolist() == [0.5, 0.25]
    assert samples_from_bytes(data, raw("s16le", 2, 2)).tolist() == [-0.5, -0.25]


@pytest.mark.parametrize("size", [1, 3, 80, 5000])
def test_a_link_takes_bare_samples_however_they_are_cut(size: int) -> None:
    data = s16le(breath(500))
    sound = sound_of(news_of(cut(data, size), S16LE))
    assert np.array_equal(sound * 32768, np.frombuffer(data, "<i2"))


def test_24_bits_stay_24_bits() -> None:
    values = np.arange(-400, 400, dtype=np.int32)
    data = values[:, np.newaxis].view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    assert np.array_equal(sound_of(news_of([data], raw("s24le"))) * 2**23, values)


def test_it_warns_once_that_a_lost_byte_cannot_be_noticed() -> None:
    pieces = cut(s16le(breath(8000)), 320)
    assert texts_of(news_of(pieces, S16LE)) == [UNNOTICED]
    assert texts_of(news_of(pieces, S16LE, warns=False)) == []


def test_a_sender_that_stops_shows_as_silence() -> None:
    wire = Wire([b"", s16le(breath(80))])
    link = Link(wire.name, lambda: RawPcmTransport(wire, S16LE, 1), lambda: wire.now_s)
    link.open()
    with pytest.raises(TransportError, match="no frame for 2 s"):
        _ = [link.read(0.0) for _ in range(200)]
    assert wire.now_s < 5


@pytest.mark.parametrize("lost_bytes", [1, 3, 4097])
def test_after_a_lost_byte_samples_are_cut_anew(lost_bytes: int) -> None:
    samples = breath(16000)
    data = s16le(samples)
    news = news_of(cut(data[:8000] + data[8000 + lost_bytes :], 320), S16LE)
    assert texts_of(news) == [UNNOTICED, REALIGNED]
    sound, tail = sound_of(news), np.frombuffer(data[-8000:], "<i2") / np.float32(32768)
    assert np.array_equal(sound[-4000:], tail)
    # Noise lasts until two measurements have seen nothing else.
    wrong_until = 4000 + 2 * PHASE_SAMPLES + 320
    assert np.array_equal(sound[wrong_until:], samples_from_bytes(data, S16LE)[-len(sound[wrong_until:]) :])


@pytest.mark.parametrize("lost_bytes", [1, 2, 3])
@pytest.mark.parametrize("name", ["s16le", "s16be", "u16le", "u16be", "s24le", "s24be", "s32le"])
def test_the_shift_of_every_format_is_found(name: str, lost_bytes: int) -> None:
    written = raw(name)
    values = (breath(PHASE_SAMPLES + 1) * 2**31).astype(np.int64) + (2**31 if written.is_offset_binary else 0)
    octets = (values % 2**32).astype("<u4")[:, np.newaxis].view(np.uint8)[:, 4 - written.width_bytes :]
    data = np.ascontiguousarray(octets[:, ::-1] if written.is_big_endian else octets).tobytes()
    shifted = data[lost_bytes:][: PHASE_SAMPLES * written.width_bytes - 4 * written.width_bytes]
    assert evident_shift(shifted, written) == -lost_bytes % written.width_bytes


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.01, 0.3])
def test_sound_that_lies_right_is_left_alone(level: float) -> None:
    assert evident_shift(s16le(breath(PHASE_SAMPLES, level)), S16LE) == 0


def test_noise_at_full_scale_and_left_justified_samples_are_left_alone() -> None:
    noise = np.random.default_rng(2).integers(0, 256, 2 * PHASE_SAMPLES, np.uint8)
    assert evident_shift(noise.tobytes(), S16LE) == 0
    assert evident_shift((noise.astype("<u2") << 8).astype("<u2").tobytes(), S16LE) == 0


def test_the_byte_phase_of_real_recordings_is_told_right(shared_data: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    shifts: list[tuple[int, int]] = []
    for path in sorted(shared_data.rglob("*.flac"))[::60]:
        samples, _ = soundfile.read(path, frames=40 * PHASE_SAMPLES, dtype="int16", always_2d=True)
        data = samples[:, 0].astype("<i2").tobytes()
        for start in range(0, len(data) - 4 * PHASE_SAMPLES, 32 * PHASE_SAMPLES):
            piece = data[start : start + 2 * PHASE_SAMPLES + 1]
            shifts.append((evident_shift(piece[:-1], S16LE), evident_shift(piece[1:], S16LE)))
    assert len(shifts) > 50
    assert {intact for intact, _ in shifts} == {0}
    assert np.mean([cut_off for _, cut_off in shifts]) > 0.95
