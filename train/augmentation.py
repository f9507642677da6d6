"""Changes to training sound and images that keep the class; each is a pure function of its input and a generator.

Those that move frequencies are only drawn here, so that several can be done by `move_frequencies` at once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from train.vocoder import FrequencyMap

Float32 = NDArray[np.float32]
Rectangle = NDArray[np.int64]
"""First row, row past the last, first frame, frame past the last: int64 [4]."""

_RESPONSE_KNOTS_HZ = (0.0, 100.0, 200.0, 400.0, 700.0, 1100.0, 1500.0, 2000.0)
"""Where a made-up frequency response is drawn: closer together where breath sounds have most of their energy."""
_WARP_BOUNDARY = 0.6
"""Up to which share of half the rate VTLP is uniform: Jaitly and Hinton's 4800 Hz at 16 kHz, 1200 Hz at 4 kHz."""
_LOUDER_SHARE = (0.2, 0.8)
"""Of a window, how much may become louder or softer; nlpaug takes the middle 0.6."""
_FADE_SAMPLES = 80
"""20 ms at 4 kHz from one loudness to the other, longer than a crackle: a step would sound like one."""


def change_speed(samples: Float32, most: float, rng: Generator) -> Float32:
    """Played 1 - most to 1 + most times as fast, so that pitch and duration change together (linear interpolation).

    nlpaug's `SpeedAug`, which the authors' code calls, keeps the pitch and goes from half to twice as fast.
    """
    speed = rng.uniform(1 - most, 1 + most)
    length = max(1, round(samples.size / speed))
    positions = np.linspace(0, samples.size - 1, length)
    return np.asarray(np.interp(positions, np.arange(samples.size), samples), dtype=np.float32)


def draw_pitch(semitones: tuple[float, float], rng: Generator) -> FrequencyMap:
    """All frequencies moved by a number of `semitones` drawn from the range; `move_frequencies` keeps the duration."""
    return FrequencyMap(knots=(0, 1), moved=(0, 2 ** (rng.uniform(*semitones) / 12)))


def draw_vocal_tract(factor: tuple[float, float], rng: Generator) -> FrequencyMap:
    """Vocal tract length perturbation: low frequencies times a number drawn from `factor`, half the rate kept in place.

    Jaitly and Hinton (2013): uniform up to a boundary, the rest stretched or squeezed evenly. nlpaug's boundary of
    4800 Hz lies above all of a 4 kHz recording, where its `VtlpAug`, as the authors' code calls it, moves nothing.
    """
    drawn = rng.uniform(*factor)
    boundary = _WARP_BOUNDARY * min(drawn, 1)
    return FrequencyMap(knots=(0, boundary / drawn, 1), moved=(0, boundary, 1))


def change_loudness(samples: Float32, gain_db: tuple[float, float], rng: Generator) -> Float32:
    """One random stretch, 20 to 80 % of the sound, louder or softer by a gain drawn from `gain_db`, faded in and out.

    A gain for all of the sound cannot reach the image, whose brightness is relative to its loudest point.
    """
    gain = rng.uniform(*gain_db)
    length = round(samples.size * rng.uniform(*_LOUDER_SHARE))
    start = int(rng.integers(samples.size - length + 1))
    fade = np.minimum(np.arange(1, length + 1) / _FADE_SAMPLES, 1)
    curve_db = gain * np.minimum(fade, fade[::-1])
    changed = samples.copy()
    changed[start : start + length] *= (10 ** (curve_db / 20)).astype(np.float32)
    return changed


def shift(samples: Float32, rng: Generator) -> Float32:
    """The sound wrapped around from a random place."""
    return np.asarray(np.roll(samples, int(rng.integers(samples.size))))


def add_noise(samples: Float32, snr_db: tuple[float, float], rng: Generator) -> Float32:
    """Noise between white and pink, at a signal-to-noise ratio drawn from `snr_db`; silence stays silence."""
    exponent, ratio_db = rng.uniform(0, 1), rng.uniform(*snr_db)
    # "ortho" keeps float32 in float32, which is twice as fast; NumPy goes through float64 for the usual scaling.
    spectrum = np.fft.rfft(rng.standard_normal(samples.size, dtype=np.float32), norm="ortho")
    spectrum *= np.exp(np.float32(-exponent / 2) * _log_bins(spectrum.size))
    noise = np.fft.irfft(spectrum, samples.size, norm="ortho")
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-ratio_db / 20)
    return np.asarray(samples + np.float32(gain) * noise, dtype=np.float32)


def colour_response(samples: Float32, spread_db: float, sample_rate_hz: int, rng: Generator) -> Float32:
    """The sound through a smooth random frequency response, as another stethoscope would bring it.

    `spread_db` is the standard deviation of the gain at each knot; between knots it is interpolated.
    """
    gains_db = rng.normal(0, spread_db, len(_RESPONSE_KNOTS_HZ))
    spectrum = np.fft.rfft(samples, norm="ortho")
    frequencies_hz = np.linspace(0, sample_rate_hz / 2, spectrum.size)
    levels = np.interp(frequencies_hz, _RESPONSE_KNOTS_HZ, gains_db * np.log(10) / 20).astype(np.float32)
    return np.asarray(np.fft.irfft(spectrum * np.exp(levels), samples.size, norm="ortho"), dtype=np.float32)


@lru_cache(maxsize=8)
def _log_bins(count: int) -> Float32:
    """Natural logarithm of each frequency bin's number, the first taken as 1; float32 [count]."""
    return np.log(np.maximum(np.arange(count, dtype=np.float32), 1))


def draw_mask(shape: tuple[int, ...], most_rows: int, most_frames: int, rng: Generator) -> Rectangle:
    """One band of at most `most_rows` rows and one stretch of at most `most_frames` frames of images [C, H, W].

    SpecAugment (Park et al., 2019), without its bending of time.
    """
    return np.array([*_stretch(shape[1], most_rows, rng), *_stretch(shape[2], most_frames, rng)], dtype=np.int64)


def mask(image: NDArray[np.uint8], rectangle: Rectangle) -> NDArray[np.uint8]:
    """A copy of an image, uint8 [C, H, W], with the rectangle's rows and its frames at the image's mean level."""
    masked, level = image.copy(), np.uint8(image.mean())
    first_row, end_row, first_frame, end_frame = rectangle
    masked[:, first_row:end_row] = level
    masked[:, :, first_frame:end_frame] = level
    return masked


def _stretch(size: int, most: int, rng: Generator) -> tuple[int, int]:
    length = int(rng.integers(min(most, size) + 1))
    start = int(rng.integers(size - length + 1))
    return start, start + length
