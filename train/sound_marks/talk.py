"""Talk and crying made from nothing: pulses of the vocal folds through two formants, as heard through a chest.

The recordings hold men of 58 to 84 years and one woman; women, children and babies come from here (source and filter,
Fant, "Acoustic theory of speech production", 1960).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

RATE_HZ = 4000
HARMONICS = 30
HIGHEST_HZ = 1900.0


def synthetic_talk(samples: int, rng: np.random.Generator) -> tuple[Float32, Bools]:
    """Syllables and pauses of one voice: float32 [samples] at 4 kHz, and which of them are in a syllable."""
    crying, child = rng.random() < 0.1, rng.random() < 0.4
    pitch_hz = rng.uniform(300, 450) if crying else rng.uniform(230, 380) if child else rng.uniform(85, 250)
    sound, voiced = np.zeros(samples), np.zeros(samples, np.bool_)
    start = int(rng.uniform(0, RATE_HZ))
    while start < samples - RATE_HZ // 5:
        duration_s = rng.uniform(0.4, 1.3) if crying else rng.uniform(0.08, 0.5)
        end = min(start + int(duration_s * RATE_HZ), samples)
        sound[start:end] = _syllable(end - start, pitch_hz * 2 ** rng.uniform(-0.25, 0.25), rng)
        voiced[start:end] = True
        pause_s = rng.uniform(0.02, 0.2) if rng.random() < 0.7 else rng.uniform(0.3, 2.5)
        start = end + int(pause_s * RATE_HZ)
    return _through_chest(sound, rng), voiced


def _syllable(samples: int, pitch_hz: float, rng: np.random.Generator) -> Float64:
    """Gliding, with a breathy part, fading in and out."""
    turns = [0, rng.uniform(0.2, 0.8), 1]
    glide = np.interp(np.linspace(0, 1, samples), turns, rng.uniform(-0.3, 0.3, 3))
    course_hz = pitch_hz * 2**glide
    phase = 2 * np.pi * np.cumsum(course_hz) / RATE_HZ
    tilt = rng.uniform(0.8, 1.6)
    formants = (rng.uniform(250, 1000), rng.uniform(850, 1900))
    widths = (rng.uniform(60, 120), rng.uniform(80, 150))
    sound = np.zeros(samples)
    for number in range(1, HARMONICS):
        line_hz = number * course_hz
        gain = _resonance(line_hz, formants[0], widths[0]) + 0.6 * _resonance(line_hz, formants[1], widths[1])
        sound += gain * number**-tilt * np.sin(number * phase + rng.uniform(0, 2 * np.pi)) * (line_hz < HIGHEST_HZ)
    sound += 0.02 * np.abs(sound).max(initial=0) * rng.standard_normal(samples)
    ramp = np.arange(samples) / (rng.uniform(0.01, 0.05) * RATE_HZ)
    return np.asarray(sound * np.minimum(1, np.minimum(ramp, ramp[::-1])), np.float64)


def _resonance(frequency_hz: Float64, centre_hz: float, width_hz: float) -> Float64:
    return np.asarray(1 / np.sqrt(1 + ((frequency_hz - centre_hz) / width_hz) ** 2), np.float64)


def _through_chest(sound: Float64, rng: np.random.Generator) -> Float32:
    """Low-passed with a slope of 0 to 9 dB an octave: of a single line nobody could say that it is a voice."""
    frequency_hz = np.fft.rfftfreq(sound.size, 1 / RATE_HZ)
    gain = (1 + (frequency_hz / rng.uniform(300, 900)) ** 2) ** (-rng.uniform(0, 1.5) / 2)
    return np.fft.irfft(np.fft.rfft(sound) * gain, sound.size).astype(np.float32)
