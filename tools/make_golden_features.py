"""Writes tests/golden/features.npz: two windows and the image the authors' libraries make of them (librosa, OpenCV;
development only).

With it the device's tests hold the features to their definition where neither library is installed.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import cv2
import librosa
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "features.npz"
WINDOW_SAMPLES = 28_000
SAMPLE_RATE_HZ = 4000


def main() -> None:
    """Make both windows and their images, and name the library versions that made them."""
    windows = np.stack([noisy_breath(), wheeze_with_a_blank_top()])
    levels = np.stack([levels_from_window(window) for window in windows])
    np.savez_compressed(
        GOLDEN,
        windows=windows,
        levels=levels,
        images=np.stack([image_from_levels(each) for each in levels]),
        made_with=np.array(f"librosa {version('librosa')}, OpenCV {cv2.__version__}, NumPy {np.__version__}"),
    )


def noisy_breath() -> NDArray[np.float32]:
    """Noise that swells twice, rounded to 12 bits so that the file stays small."""
    time_s = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(2021).standard_normal(WINDOW_SAMPLES)
    return np.asarray(np.round(200 * noise * np.sin(np.pi * time_s / 3.5) ** 2) / 2048, np.float32)


def wheeze_with_a_blank_top() -> NDArray[np.float32]:
    """A gliding tone and its octave over faint noise below 900 Hz: the upper rows are blank, as from a Littmann
    3200.
    """
    time_s = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * (350 * time_s + 20 * np.sin(2 * np.pi * 0.4 * time_s))
    spectrum = np.fft.rfft(np.random.default_rng(2022).standard_normal(WINDOW_SAMPLES))
    spectrum[round(900 * WINDOW_SAMPLES / SAMPLE_RATE_HZ) :] = 0
    sound = 0.2 * np.sin(phase) + 0.05 * np.sin(2 * phase) + 0.01 * np.fft.irfft(spectrum)
    return np.asarray(np.round(2**14 * sound) / 2**14, np.float32)


def levels_from_window(window: NDArray[np.float32]) -> NDArray[np.uint8]:
    """8-bit mel levels [64, 219] as the released code scales them."""
    mel = librosa.feature.melspectrogram(
        y=window, sr=SAMPLE_RATE_HZ, n_mels=64, fmin=50, fmax=2000, n_fft=256, hop_length=128
    )
    levels_db = librosa.power_to_db(mel, ref=np.max)
    return np.asarray((levels_db - levels_db.min()) / (levels_db.max() - levels_db.min()) * 255, dtype=np.uint8)


def image_from_levels(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture [192, 657, 3], red first, that the released code feeds its network."""
    magma_bgr = np.ascontiguousarray(colormaps["magma"](np.arange(256), bytes=True)[:, 2::-1].reshape(256, 1, 3))
    coloured = cv2.applyColorMap(levels, magma_bgr)
    picture = cv2.flip(cv2.resize(coloured, (657, 192), interpolation=cv2.INTER_LINEAR), 0)
    dark = cv2.cvtColor(cv2.flip(coloured, 0), cv2.COLOR_BGR2GRAY) < 10
    first = int(np.argmax(dark.mean(axis=1) < 0.8))
    kept = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)[(first + 1) * 3 :]
    return np.asarray(cv2.resize(kept, (657, 192), interpolation=cv2.INTER_LINEAR))


if __name__ == "__main__":
    main()
