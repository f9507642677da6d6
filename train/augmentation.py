"""Changes to training sound and images that keep the class; each is a pure function of its input and a generator."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_RESPONSE_KNOTS_HZ = (0.0, 100.0, 200.0, 400.0, 700.0, 1100.0, 1500.0, 2000.0)
"""Where a made-up frequency response is drawn: closer together where breath sounds have most of their energy."""


def concatenate(first: Float32, second: Float32, gain_db: float, rng: Generator) -> Float32:
    """Two cycles of one class as one sample (paper, section 2.1), the second louder or softer by up to `gain_db`."""
    gain = 10 ** (rng.uniform(-gain_db, gain_db) / 20)
    return np.concatenate([first, second * np.float32(gain)])


def change_speed(samples: Float32, most: float, rng: Generator) -> Float32:
    """Played 1 - most to 1 + most times as fast, so that pitch and duration change together (linear interpolation)."""
    speed = rng.uniform(1 - most, 1 + most)
    length = max(1, round(samples.size / speed))
    positions = np.linspace(0, samples.size - 1, length)
    return np.asarray(np.interp(positions, np.arange(samples.size), samples), dtype=np.float32)


def shift(samples: Float32, rng: Generator) -> Float32:
    """The sound wrapped around from a random place."""
    return np.asarray(np.roll(samples, int(rng.integers(samples.size))))


def add_noise(samples: Float32, snr_db: tuple[float, float], rng: Generator) -> Float32:
    """Noise between white and pink, at a signal-to-noise ratio drawn from `snr_db`; silence stays silence."""
    exponent, ratio_db = rng.uniform(0, 1), rng.uniform(*snr_db)
    spectrum = np.fft.rfft(rng.standard_normal(samples.size, dtype=np.float32))
    tilt = np.maximum(np.arange(spectrum.size, dtype=np.float32), 1) ** np.float32(-exponent / 2)
    noise = np.fft.irfft(spectrum * tilt, samples.size)
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-ratio_db / 20)
    return np.asarray(samples + np.float32(gain) * noise, dtype=np.float32)


def colour_response(samples: Float32, spread_db: float, sample_rate_hz: int, rng: Generator) -> Float32:
    """The sound through a smooth random frequency response, as another stethoscope would bring it.

    `spread_db` is the standard deviation of the gain at each knot; between knots it is interpolated.
    """
    gains_db = rng.normal(0, spread_db, len(_RESPONSE_KNOTS_HZ))
    spectrum = np.fft.rfft(samples)
    frequencies_hz = np.linspace(0, sample_rate_hz / 2, spectrum.size)
    response = 10 ** (np.interp(frequencies_hz, _RESPONSE_KNOTS_HZ, gains_db) / 20)
    return np.asarray(np.fft.irfft(spectrum * response.astype(np.float32), samples.size), dtype=np.float32)


def mask(image: NDArray[np.uint8], most_rows: int, most_frames: int, rng: Generator) -> NDArray[np.uint8]:
    """A copy with one band of rows and one stretch of frames at the image's mean level.

    SpecAugment (Park et al., 2019). `image` is uint8 [C, H, W]; at most `most_rows` rows and `most_frames` frames go.
    """
    masked, level = image.copy(), np.uint8(image.mean())
    rows, frames = _stretch(image.shape[1], most_rows, rng), _stretch(image.shape[2], most_frames, rng)
    masked[:, rows] = level
    masked[:, :, frames] = level
    return masked


def _stretch(size: int, most: int, rng: Generator) -> slice:
    length = int(rng.integers(min(most, size) + 1))
    start = int(rng.integers(size - length + 1))
    return slice(start, start + length)
