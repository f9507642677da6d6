"""How much of a sound is a voice: the vocal folds' regular pulses ripple the spectrum (Noll, "Cepstrum pitch
determination", J Acoust Soc Am 41, 1967).

The ripple is regular on a logarithmic scale wherever speech has harmonics; breath noise ripples at random, a wheeze is
one line or a few, as far apart as its pitch is high. The ripple's strength is measured at pitches from 79 to 250 Hz,
less its strength at twice that pitch, and in the fifth of the frames where it is strongest, because talk pauses.
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
WEAKEST_DB = 0.0
"""No ripple to speak of."""


def maybe_voicing_db(powers: Float32) -> float | None:
    """Strength of the ripple, from the frames' power spectra [frames, bins]; None where there is no frame.

    In dB of the squared ripple of the natural logarithm of power; noise alone gives about 24.
    """
    if len(powers) == 0:
        return None
    low, high = (round(edge_hz * FRAME_S) for edge_hz in BAND_HZ)
    band = powers[:, low:high]
    levels = np.log(band + (FLOOR * band.mean(axis=1, keepdims=True) + SMALLEST_POWER))
    levels -= levels.mean(axis=1, keepdims=True)
    strengths = np.square(levels @ _ripples(high - low)).reshape(len(levels), 2, 2, -1).sum(axis=1)
    # A wheeze ripples at half its pitch as well, but never more than at its own.
    at_pitch, at_twice = strengths[:, 0], strengths[:, 1]
    best = at_pitch.argmax(axis=1)[:, np.newaxis]
    voiced = np.take_along_axis(at_pitch - at_twice, best, axis=1)[:, 0]
    count = max(int(VOICED_SHARE * len(voiced)), 1)
    strongest = float(np.partition(voiced, -count)[-count:].mean())
    return max(10 * math.log10(strongest), WEAKEST_DB) if strongest > 0 else WEAKEST_DB


@lru_cache(maxsize=4)
def _ripples(bins: int) -> Float32:
    """Ripples of each pitch's spacing and of twice it, under a Hann window: float32 [bins, 4 * pitches], the cosines of
    all first.
    """
    span_hz = bins / FRAME_S
    counts = np.arange(math.ceil(span_hz / PITCHES_HZ[1]), int(span_hz / PITCHES_HZ[0]) + 1)
    phase = 2 * np.pi * np.outer(np.arange(bins), np.concatenate([counts, counts / 2])) / bins
    return (np.hstack([np.cos(phase), np.sin(phase)]) * np.hanning(bins)[:, np.newaxis]).astype(np.float32)
