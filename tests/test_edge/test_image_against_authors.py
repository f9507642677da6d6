"""Mel levels and images against the libraries that the authors' released code calls: librosa and OpenCV, with
matplotlib's magma.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.signal.clipping import clipped_rows
from edge.signal.colour import magma, magma_grey
from edge.signal.conditioning import condition_recording
from edge.signal.image import colour_image_from_levels, image_from_window, level_image_from_levels, levels_from_window
from edge.signal.mel import mel_filterbank, mel_levels_db
from edge.signal.resize import enlarge, stretch_rows
from edge.signal.spec import COMPACT, RESPIRENET

cv2 = pytest.importorskip("cv2")
librosa = pytest.importorskip("librosa")
colormaps = pytest.importorskip("matplotlib").colormaps

UInt8 = NDArray[np.uint8]
MAGMA_BGR = np.ascontiguousarray(colormaps["magma"](np.arange(256), bytes=True)[:, 2::-1].reshape(256, 1, 3))


def authors_levels_db(window: NDArray[np.floating]) -> NDArray[np.floating]:
    mel = librosa.feature.melspectrogram(y=window, sr=4000, n_mels=64, fmin=50, fmax=2000, n_fft=256, hop_length=128)
    return np.asarray(librosa.power_to_db(mel, ref=np.max))


def authors_levels(window: NDArray[np.floating]) -> UInt8:
    levels_db = authors_levels_db(window)
    return np.asarray((levels_db - levels_db.min()) / (levels_db.max() - levels_db.min()) * 255, dtype=np.uint8)


def painted(levels: UInt8, enlargement: int) -> UInt8:
    picture = cv2.applyColorMap(levels, MAGMA_BGR)
    size = (levels.shape[1] * enlargement, levels.shape[0] * enlargement)
    return np.asarray(cv2.flip(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), 0), np.uint8)


def authors_cut_rows(levels: UInt8) -> int:
    grey = cv2.cvtColor(painted(levels, 1), cv2.COLOR_BGR2GRAY)
    for row in range(64):
        if np.mean(grey[row] < 10) < 0.8:
            break
    return row + 1 if row + 1 < 64 else 0


def authors_image(levels: UInt8) -> UInt8:
    picture = cv2.cvtColor(painted(levels, 3), cv2.COLOR_BGR2RGB)[authors_cut_rows(levels) * 3 :]
    return np.asarray(cv2.resize(picture, (picture.shape[1], 192), interpolation=cv2.INTER_LINEAR), np.uint8)


def noises() -> list[NDArray[np.float32]]:
    """Windows that no recording gives: loud and faint noise, a tone, an impulse, noise that is blank above 800 Hz."""
    rng = np.random.default_rng(11)
    white = rng.standard_normal(28_000)
    impulse = np.zeros(28_000)
    impulse[9000] = 1.0
    low = np.fft.irfft(np.fft.rfft(white) * (np.fft.rfftfreq(28_000, 1 / 4000) < 800))
    tone = np.sin(2 * np.pi * 400 * np.arange(28_000) / 4000)
    return [np.asarray(sound, np.float32) for sound in (white, white * 1e-4, tone + 1e-3 * white, impulse, low, low**3)]


def real_windows(folder: Path) -> list[NDArray[np.float32]]:
    """The end of every tenth ICBHI recording, conditioned as we do and merely resampled as the authors do."""
    soundfile = pytest.importorskip("soundfile")
    found = []
    for path in sorted(folder.glob("*.flac"))[::10]:
        samples, rate_hz = soundfile.read(path, dtype="float32")
        resampled = librosa.resample(samples, orig_sr=rate_hz, target_sr=4000)
        for sound in (condition_recording(samples, rate_hz, RESPIRENET), resampled):
            if sound.size >= 28_000:
                found.append(np.ascontiguousarray(sound[-28_000:], dtype=np.float32))
    return found


@pytest.fixture(scope="module", params=["synthetic", "recorded"])
def windows(request: pytest.FixtureRequest) -> list[NDArray[np.float32]]:
    if request.param == "synthetic":
        return noises()
    return real_windows(request.getfixturevalue("shared_data") / "icbhi" / "audio_and_txt_files")


def test_the_filterbank_is_librosas() -> None:
    expected = librosa.filters.mel(sr=4000, n_fft=256, n_mels=64, fmin=50, fmax=2000)
    np.testing.assert_allclose(mel_filterbank(RESPIRENET), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_levels_are_within_a_thousandth_of_a_db_of_librosa(windows: list[NDArray[np.float32]], dtype: type) -> None:
    worst_db = max(
        np.abs(mel_levels_db(window.astype(dtype), RESPIRENET) - authors_levels_db(window.astype(dtype))).max()
        for window in windows
    )
    assert worst_db <= 1e-3


def test_8_bit_levels_are_the_authors_in_999_of_1000_pixels_and_off_by_at_most_1(
    windows: list[NDArray[np.float32]],
) -> None:
    for window in windows:
        difference = np.abs(levels_from_window(window, RESPIRENET).astype(int) - authors_levels(window))
        assert np.mean(difference == 0) >= 0.999
        assert difference.max() <= 1


def test_equal_levels_give_the_identical_colour_image(windows: list[NDArray[np.float32]]) -> None:
    for window in windows:
        levels = authors_levels(window)
        np.testing.assert_array_equal(
            colour_image_from_levels(levels, RESPIRENET).transpose(1, 2, 0), authors_image(levels)
        )


def test_the_compact_image_is_the_level_image_flipped_cut_and_stretched(windows: list[NDArray[np.float32]]) -> None:
    for window in windows:
        levels = authors_levels(window)
        kept = levels[::-1][authors_cut_rows(levels) :]
        expected = cv2.resize(kept, (219, 64), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(level_image_from_levels(levels, COMPACT)[0], expected)


def test_the_whole_image_is_the_authors_but_for_a_level_here_and_there(windows: list[NDArray[np.float32]]) -> None:
    for window in windows:
        difference = image_from_window(window, RESPIRENET).transpose(1, 2, 0) != authors_image(authors_levels(window))
        assert np.mean(difference) <= 0.001


@pytest.mark.parametrize("blank_rows", [0, 1, 5, 40, 62, 63, 64])
def test_any_number_of_blank_rows_is_cut_as_the_authors_cut(blank_rows: int) -> None:
    levels = np.random.default_rng(2).integers(60, 256, (64, 219), dtype=np.uint8)
    levels[64 - blank_rows :] = 0
    assert clipped_rows(levels[::-1], RESPIRENET) == authors_cut_rows(levels)
    np.testing.assert_array_equal(
        colour_image_from_levels(levels, RESPIRENET).transpose(1, 2, 0), authors_image(levels)
    )


@pytest.mark.parametrize("blank_rows", [0, 5])
def test_without_clipping_the_image_is_the_authors_picture_uncut(blank_rows: int) -> None:
    levels = np.random.default_rng(2).integers(60, 256, (64, 219), dtype=np.uint8)
    levels[64 - blank_rows :] = 0
    colour, level = (replace(spec, blank_grey_level=0) for spec in (RESPIRENET, COMPACT))
    np.testing.assert_array_equal(
        colour_image_from_levels(levels, colour).transpose(1, 2, 0), cv2.cvtColor(painted(levels, 3), cv2.COLOR_BGR2RGB)
    )
    np.testing.assert_array_equal(level_image_from_levels(levels, level)[0], levels[::-1])


@pytest.mark.parametrize("share", [0.79, 0.8, 0.81])
def test_a_row_is_blank_from_80_percent_of_dark_pixels(share: float) -> None:
    levels = np.full((64, 200), 200, dtype=np.uint8)
    levels[63, : round(share * 200)] = 0
    assert clipped_rows(levels[::-1], RESPIRENET) == authors_cut_rows(levels) == (1 if share < 0.8 else 2)


def test_magma_is_matplotlibs_and_its_grey_is_opencvs() -> None:
    np.testing.assert_array_equal(magma(), MAGMA_BGR[:, 0, ::-1])
    np.testing.assert_array_equal(magma_grey(), cv2.cvtColor(MAGMA_BGR, cv2.COLOR_BGR2GRAY)[:, 0])


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 7])
def test_enlarging_gives_opencvs_bytes(factor: int) -> None:
    plane = np.random.default_rng(5).integers(0, 256, (64, 219), dtype=np.uint8)
    expected = cv2.resize(plane, (219 * factor, 64 * factor), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(enlarge(plane, factor), expected)


@pytest.mark.parametrize(
    ("rows", "width"), [(31, 219), (64, 219), (65, 219), (100, 219), (192, 219), (192, 657), (90, 1)]
)
def test_stretching_rows_gives_opencvs_bytes(rows: int, width: int) -> None:
    plane = np.random.default_rng(5).integers(0, 256, (64, width), dtype=np.uint8)
    expected = cv2.resize(plane, (width, rows), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(stretch_rows(plane, rows), expected)
