"""Power spectra of short frames of conditioned sound, for judging its quality; the features have a definition of their
own in `edge/signal`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

FRAME_S = 0.064
"""Some eight periods of a man's voice; a syllable lasts two or three such frames."""

FRAMES_AT_ONCE = 28
"""Measured: intermediates that stay in cache; those of a whole window cost more in fresh pages than in arithmetic."""


def frame_powers(sound: Float32, sample_rate_hz: int) -> Float32:
    """Power spectra of float32 [n], frame after frame without overlap under a Hann window.

    Returns: float32 [frames, bins], the bins 1 / `FRAME_S` apart; no frame where the sound is shorter than one.
    """
    length = round(FRAME_S * sample_rate_hz)
    frames = sound[: sound.size // length * length].reshape(-1, length)
    powers = np.empty((len(frames), length // 2 + 1), np.float32)
    for first in range(0, len(frames), FRAMES_AT_ONCE):
        some = slice(first, first + FRAMES_AT_ONCE)
        spectra = np.fft.rfft(frames[some] * _hann(length), axis=1)
        powers[some] = spectra.real**2 + spectra.imag**2
    return powers


def share_above(powers: Float32, frequency_hz: float) -> float:
    """The share of all power that lies above a frequency; 0 where there is none."""
    total = float(powers.sum(dtype=np.float64))
    return float(powers[:, round(frequency_hz * FRAME_S) :].sum(dtype=np.float64)) / total if total > 0 else 0.0


@lru_cache(maxsize=4)
def _hann(length: int) -> Float32:
    return np.hanning(length).astype(np.float32)
