"""How strong the hum of the mains is: steady lines at 50 or 60 Hz and their multiples, beside the rest of the sound."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

MAINS_HZ = (50, 60)
HARMONICS = 6
SEGMENT_S = 0.6
"""Lines are 2.5 Hz wide: the mains' own wandering stays within, and a wheeze that holds its pitch so well is none."""
BESIDE_HZ = 5.0
"""Where the sound beside a line is measured, above and below it; the Hann window has no leakage there."""
FOLD_S = 1 / BESIDE_HZ
"""All that is looked at repeats after so long: a segment's thirds are added up before it is measured."""
NOISE_FACTOR = 3.0
"""A line counts by what it has more than this times the sound beside it: noise alone seldom has."""
SMALLEST_SHARE = 1e-6
"""No hum at all, or nothing else, gives 60 dB."""


def maybe_hum_db(sound: Float32, sample_rate_hz: int) -> float | None:
    """Power of the mains' lines over that of all other sound, in dB, for the mains frequency that gives more.

    Parameters: `sound` float32 [n]. The median over its segments, so that what comes and goes does not count; None for
    sound shorter than a segment, where a line cannot be told from a tone.
    """
    length = round(SEGMENT_S * sample_rate_hz)
    segments = sound[: sound.size // length * length].reshape(-1, length)
    if len(segments) == 0:
        return None
    shares = np.median(_line_shares(segments, sample_rate_hz), axis=0).reshape(3, len(MAINS_HZ), HARMONICS)
    lines, below, above = shares
    share = float(np.maximum(lines - NOISE_FACTOR * (below + above) / 2, 0).sum(axis=1).max())
    return 10 * math.log10(max(share, SMALLEST_SHARE) / max(1 - share, SMALLEST_SHARE))


def _line_shares(segments: Float32, sample_rate_hz: int) -> Float32:
    """The share of each segment's power that lies at each probe: float32 [segments, probes]."""
    hann = _hann(segments.shape[1])
    windowed = segments * hann
    folded = windowed.reshape(len(segments), -1, round(FOLD_S * sample_rate_hz)).sum(axis=1)
    cosines, sines = _probes(sample_rate_hz)
    powers = (folded @ cosines) ** 2 + (folded @ sines) ** 2
    total = np.einsum("st,st->s", windowed, windowed)[:, np.newaxis]
    # What a lone line gives under the window is its whole power.
    whole = 2 * float(np.dot(hann, hann)) / float(hann.sum()) ** 2
    return np.asarray(powers / np.maximum(total, np.float32(1e-20)) * np.float32(whole))


@lru_cache(maxsize=4)
def _probes(sample_rate_hz: int) -> tuple[Float32, Float32]:
    """Cosines and sines, float32 [fold, probes], at every line, below it and above it."""
    lines_hz = np.outer(MAINS_HZ, np.arange(1, HARMONICS + 1)).ravel()
    probes_hz = np.concatenate([lines_hz, lines_hz - BESIDE_HZ, lines_hz + BESIDE_HZ])
    times_s = np.arange(round(FOLD_S * sample_rate_hz)) / sample_rate_hz
    phase = 2 * np.pi * np.outer(times_s, probes_hz)
    return np.cos(phase).astype(np.float32), np.sin(phase).astype(np.float32)


@lru_cache(maxsize=4)
def _hann(length: int) -> Float32:
    """Periodic, so that lines a whole number of hertz apart do not leak into each other."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), dtype=np.float32)
