"""The report's picture: the right level at the right row and time, whatever the length of the recording."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.report.png import png_from_levels
from edge.report.spectrogram import (
    COLOURS,
    MAX_COLUMNS,
    RANGE_DB,
    height_of_frequency,
    mel_power_pieces,
    palette,
    spectrogram,
)
from edge.signal.mel import band_centres_hz, mel_power
from edge.signal.spec import COMPACT

RATE_HZ = COMPACT.sample_rate_hz
STEP_DB = RANGE_DB / (COLOURS - 1)


def tone(frequency_hz: float, duration_s: float, amplitude: float = 0.5) -> NDArray[np.float32]:
    times_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return np.asarray(amplitude * np.sin(2 * np.pi * frequency_hz * times_s), np.float32)


@pytest.mark.parametrize("frequency_hz", [120, 400, 1000, 1700])
def test_a_tone_is_brightest_where_the_axis_says_its_frequency_is(frequency_hz: float) -> None:
    levels = spectrogram([tone(frequency_hz, 5)], COMPACT).levels
    brightest = (np.argmax(levels.sum(axis=1)) + 0.5) / COMPACT.n_mels
    assert brightest == pytest.approx(height_of_frequency(frequency_hz, COMPACT), abs=1.01 / COMPACT.n_mels)


def test_a_tone_begins_and_ends_at_its_times() -> None:
    sound = np.concatenate([np.zeros(3 * RATE_HZ, np.float32), tone(500, 4), np.zeros(5 * RATE_HZ, np.float32)])
    picture = spectrogram([sound], COMPACT)
    row = int(height_of_frequency(500, COMPACT) * COMPACT.n_mels)
    bright = np.flatnonzero(picture.levels[row] > COLOURS // 2) * picture.column_s
    assert bright[0] == pytest.approx(3, abs=0.07)
    assert bright[-1] == pytest.approx(7, abs=0.07)
    assert 12 <= picture.span_s <= 12 + picture.column_s + 1e-9


def test_a_softer_tone_is_as_many_steps_darker_as_its_decibels() -> None:
    picture = spectrogram([np.concatenate([tone(500, 4), tone(500, 4, amplitude=0.05)])], COMPACT)
    row = int(height_of_frequency(500, COMPACT) * COMPACT.n_mels)
    loud, soft = picture.levels[row, 40].astype(int), picture.levels[row, 200].astype(int)
    assert loud == COLOURS - 1
    assert (loud - soft) * STEP_DB == pytest.approx(20, abs=STEP_DB)


def test_silence_is_black_and_nothing_at_all_has_a_column() -> None:
    assert spectrogram([np.zeros(RATE_HZ, np.float32)], COMPACT).levels.max() == 0
    assert spectrogram([], COMPACT).levels.shape == (COMPACT.n_mels, 1)


def test_one_click_does_not_darken_a_recording() -> None:
    sound = tone(500, 30, amplitude=0.02)
    clicked = sound.copy()
    clicked[15 * RATE_HZ] = 1.0
    quiet = spectrogram([sound], COMPACT).levels.astype(int)
    assert np.abs(spectrogram([clicked], COMPACT).levels[:, :400].astype(int) - quiet[:, :400]).max() <= 1


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=12), length=st.integers(0, 9000))
def test_how_sound_is_cut_changes_no_point_of_its_spectra(cuts: list[int], length: int) -> None:
    sound = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    pieces = np.split(sound, sorted(min(cut, length) for cut in cuts))
    joined = np.concatenate(list(mel_power_pieces(pieces, COMPACT)), axis=1)
    np.testing.assert_allclose(joined, mel_power(sound, COMPACT), rtol=1e-5)


def test_a_long_recording_keeps_every_click_and_its_time_in_a_bounded_picture() -> None:
    sound = tone(200, 300, amplitude=0.001)
    clicks_s = 20.0 * np.arange(1, 15) + 0.032 * np.arange(14)
    for click_s in clicks_s:
        sound[round(click_s * RATE_HZ) :][:4] = 0.9
    picture = spectrogram(np.split(sound, 300), COMPACT)
    assert MAX_COLUMNS / 2 <= picture.levels.shape[1] <= MAX_COLUMNS
    assert 300 <= picture.span_s <= 300 + 2 * picture.column_s
    high = picture.levels[: int(height_of_frequency(800, COMPACT) * COMPACT.n_mels)].mean(axis=0)
    around = [high[int(click_s / picture.column_s) - 1 :][:3].max() for click_s in clicks_s]
    assert min(around) > 0.9 * high.max()
    assert np.count_nonzero(high > high.max() / 2) <= 2 * len(clicks_s)


def test_memory_does_not_grow_with_the_length() -> None:
    piece = tone(300, 2)

    def pieces(minutes: int) -> Iterator[NDArray[np.float32]]:
        for _ in range(30 * minutes):
            yield piece

    def peak_bytes(minutes: int) -> int:
        tracemalloc.start()
        spectrogram(pieces(minutes), COMPACT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # what is computed once and kept
    assert peak_bytes(8) < 1.1 * peak_bytes(1)


def test_the_axis_runs_through_the_centres_of_the_bands() -> None:
    centres = band_centres_hz(COMPACT)
    assert height_of_frequency(centres[0], COMPACT) == pytest.approx(1 - 0.5 / 64)
    assert height_of_frequency(centres[-1], COMPACT) == pytest.approx(0.5 / 64)


def test_band_centres_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    edges = librosa.mel_frequencies(COMPACT.n_mels + 2, fmin=COMPACT.mel_low_hz, fmax=COMPACT.mel_high_hz)
    np.testing.assert_allclose(band_centres_hz(COMPACT), edges[1:-1], rtol=1e-9)


def some_levels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, COLOURS, (17, 41), dtype=np.uint8)


def test_another_reader_of_png_sees_the_colour_of_every_level() -> None:
    cv2 = pytest.importorskip("cv2")
    content = np.frombuffer(png_from_levels(some_levels(), palette()), np.uint8)
    blue_green_red = cv2.imdecode(content, cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(blue_green_red[..., ::-1], palette()[some_levels()])


def test_a_png_has_its_size_sound_checksums_and_the_levels_as_differences_from_the_row_above() -> None:
    content = png_from_levels(some_levels(), palette())
    chunks = dict(read_chunks(content))
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (41, 17, 8, 3, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(17, 42)
    np.testing.assert_array_equal(np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8), some_levels())


@pytest.mark.parametrize("levels", [np.zeros((0, 4), np.uint8), np.full((2, 2), COLOURS, np.uint8)])
def test_an_image_without_pixels_or_with_a_level_that_has_no_colour_is_refused(levels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="must hold a pixel"):
        png_from_levels(levels, palette())


def read_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        name, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert int.from_bytes(content[at + 8 + size : at + 12 + size], "big") == zlib.crc32(name + data)
        yield name, data
        at += 12 + size
