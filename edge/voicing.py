"""How much of a sound is a voice: the vocal folds' regular pulses ripple the spectrum (Noll, "Cepstrum pitch
determination", J Acoust Soc Am 41, 1967).

The ripple is regular on a logarithmic scale wherever speech has harmonics; breath noise ripples at random, a wheeze is
one line or two. Its strength is measured at pitches from 79 to 250 Hz, in the fifth of the frames where it is
strongest, because talk pauses.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.short_spectra import FRAME_S

Float32 = NDArray[np.float32]

BAND_HZ = (94.0, 1594.0)
"""Above most of the heart, up to where the conditioned sound ends."""
PITCHES_HZ = (79.0, 250.0)
"""Grown men's and women's voices; a child's is higher, and so are wheezes."""
VOICED_SHARE = 0.2
FLOOR = 1e-3
"""Of a frame's mean power: what lies 30 dB under it is filled up, so that the depth of no valley counts more."""
SMALLEST_POWER = 1e-14


def maybe_voicing_db(powers: Float32) -> float | None:
    """Strength of the ripple, from the frames' power spectra [frames, bins]; None where there is no frame.

    In dB of the squared ripple of the natural logarithm of power; noise alone gives about 25.
    """
    if len(powers) == 0:
        return None
    low, high = (round(edge_hz * FRAME_S) for edge_hz in BAND_HZ)
    band = powers[:, low:high]
    levels = np.log(band + (FLOOR * band.mean(axis=1, keepdims=True) + SMALLEST_POWER))
    levels -= levels.mean(axis=1, keepdims=True)
    cosines, sines = _ripples(high - low)
    strengths = ((levels @ cosines) ** 2 + (levels @ sines) ** 2).max(axis=1)
    voiced = max(int(VOICED_SHARE * len(strengths)), 1)
    return 10 * math.log10(float(np.partition(strengths, -voiced)[-voiced:].mean()) + 1e-9)


@lru_cache(maxsize=4)
def _ripples(bins: int) -> tuple[Float32, Float32]:
    """Ripples of each pitch's spacing under a Hann window, float32 [bins, pitches] twice."""
    span_hz = bins / FRAME_S
    counts = np.arange(math.ceil(span_hz / PITCHES_HZ[1]), int(span_hz / PITCHES_HZ[0]) + 1)
    phase = 2 * np.pi * np.outer(np.arange(bins), counts) / bins
    window = np.hanning(bins)[:, np.newaxis]
    return (np.cos(phase) * window).astype(np.float32), (np.sin(phase) * window).astype(np.float32)
