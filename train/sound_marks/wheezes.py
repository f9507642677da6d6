"""Wheezes made from nothing: a line or a few, each for itself, with weak harmonics, for a quarter of a second or more.

What a detector of voices must not take for one; recorded ones are few (Pasterkamp et al., "Respiratory sounds: advances
beyond the stethoscope", 1997: sinusoidal, 100 to 1000 Hz, longer than 0.1 s).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

RATE_HZ = 4000
HIGHEST_HZ = 1900.0


def synthetic_wheezes(samples: int, rng: np.random.Generator) -> Float32:
    """One or two in every breath: float32 [samples] at 4 kHz."""
    sound = np.zeros(samples)
    start, breath_s = rng.uniform(0, RATE_HZ), rng.uniform(1.2, 4)
    longest_s = 8.0 if rng.random() < 0.2 else min(2.5, breath_s)
    while start < samples:
        for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.3 else 1):
            first = int(start + rng.uniform(0, 0.2) * RATE_HZ)
            end = min(first + int(rng.uniform(0.25, longest_s) * RATE_HZ), samples)
            if end > first:
                sound[first:end] += rng.uniform(0.3, 1) * _wheeze(end - first, rng)
        start += rng.uniform(0.8, 1.2) * breath_s * RATE_HZ
    return sound.astype(np.float32)


def _wheeze(samples: int, rng: np.random.Generator) -> Float64:
    pitch_hz = 120 * 2 ** rng.uniform(0, 2.9)
    glide = np.interp(np.linspace(0, 1, samples), [0, rng.uniform(0.1, 0.6), 1], rng.uniform(-0.35, 0.35, 3))
    course_hz = pitch_hz * 2**glide
    phase = 2 * np.pi * np.cumsum(course_hz) / RATE_HZ
    sound = np.sin(phase)
    weaker_db = rng.uniform(6, 40)
    for number in (2, 3, 4):
        gain = 10 ** (-weaker_db * (number - 1) / 20)
        sound = sound + gain * np.sin(number * phase + rng.uniform(0, 2 * np.pi)) * (number * course_hz < HIGHEST_HZ)
    ramp = np.arange(samples) / (rng.uniform(0.02, 0.15) * RATE_HZ)
    return np.asarray(sound * np.minimum(1, np.minimum(ramp, ramp[::-1])), np.float64)
