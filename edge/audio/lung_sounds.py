"""Simulated breath sounds, for the demo and for tests: shapes from the literature, never a patient's sound.

Breathing is noise above 100 Hz that falls off steeply, louder in inspiration at the chest wall; a wheeze is a tone with
harmonics between 80 and 1600 Hz that lasts longer than 80 ms, mostly in expiration; a crackle is a short deflection of
about two cycles, mostly in inspiration. Sources: Pasterkamp, Kraman and Wodicka, "Respiratory sounds: advances beyond
the stethoscope", Am J Respir Crit Care Med 156 (1997); Piirila and Sovijarvi, "Crackles: recording, analysis and
clinical significance", Eur Respir J 8 (1995). How loud each part is beside the others is our choice, made so
that the feature image of a normal window has, from row to row, about the levels of real Littmann 3200 recordings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

CYCLE_S = 3.5
"""17 breaths a minute; a resting adult's 12 to 20."""
INSPIRATION_S = (0.1, 1.5)
EXPIRATION_S = (1.7, 3.1)
"""Start and end of each phase within a cycle; a pause follows."""
BREATH_LEVEL = 0.015
"""RMS in the middle of inspiration."""
EXPIRATION_SHARE = 0.5
HEART_LEVEL = 0.2
BACKGROUND_LEVEL = 0.00003
WHEEZE_LEVEL = 0.06
CRACKLE_LEVEL = 0.22


@dataclass(frozen=True)
class CrackleShape:
    """The time course of one kind of crackle."""

    initial_deflection_ms: float
    two_cycles_ms: float


FINE = CrackleShape(initial_deflection_ms=0.7, two_cycles_ms=5.0)
COARSE = CrackleShape(initial_deflection_ms=1.5, two_cycles_ms=10.0)
"""Means that the American Thoracic Society gives for the two kinds (Piirila and Sovijarvi 1995)."""


def simulate_cycle(label: str, sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """One breathing cycle of `CYCLE_S` that sounds as `label` says, float32 [n] in [-1, 1]."""
    time_s = np.arange(round(CYCLE_S * sample_rate_hz)) / sample_rate_hz
    sound = _breathing(time_s, sample_rate_hz, rng) + _heart(time_s)
    sound += BACKGROUND_LEVEL * rng.standard_normal(time_s.size)
    if label in ("wheeze", "both"):
        sound += _wheeze(time_s, rng)
    if label in ("crackle", "both"):
        sound += _crackles(time_s.size, sample_rate_hz, rng)
    return np.clip(sound, -1, 1).astype(np.float32)


def crackle(shape: CrackleShape, sample_rate_hz: int) -> Float64:
    """One crackle with a peak near 1, float64 [n], over its two cycles.

    sin(4 pi t^a) under a bell: two cycles that slow down, with `a` such that the first zero crossing ends the initial
    deflection.
    """
    share = np.arange(1, round(shape.two_cycles_ms * 1e-3 * sample_rate_hz)) / (
        shape.two_cycles_ms * 1e-3 * sample_rate_hz
    )
    exponent = math.log(0.25) / math.log(shape.initial_deflection_ms / shape.two_cycles_ms)
    bell = 0.5 * (1 + np.cos(2 * np.pi * (np.sqrt(share) - 0.5)))
    return np.asarray(np.sin(4 * np.pi * share**exponent) * bell)


def _breathing(time_s: Float64, sample_rate_hz: int, rng: np.random.Generator) -> Float64:
    envelope = _hump(time_s, *INSPIRATION_S) + EXPIRATION_SHARE * _hump(time_s, *EXPIRATION_S)
    depth = rng.uniform(0.85, 1.15)
    return BREATH_LEVEL * depth * envelope * _breath_noise(time_s.size, sample_rate_hz, rng)


def _breath_noise(samples: int, sample_rate_hz: int, rng: np.random.Generator) -> Float64:
    """Noise of RMS 1 whose power falls 15 dB an octave from 150 Hz upwards, and 12 dB an octave below 100 Hz."""
    frequency_hz = np.fft.rfftfreq(samples, 1 / sample_rate_hz)
    gain = 1 / (1 + (frequency_hz / 150) ** 2.5) * np.minimum(1, (frequency_hz / 100) ** 2)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * gain, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def _heart(time_s: Float64) -> Float64:
    """First and second heart sounds, 69 beats a minute (four to a breath), between 30 and 60 Hz."""
    beat_s = np.mod(time_s, CYCLE_S / 4)
    first = np.exp(-0.5 * ((beat_s - 0.10) / 0.025) ** 2) * np.sin(2 * np.pi * 40 * beat_s)
    second = 0.6 * np.exp(-0.5 * ((beat_s - 0.42) / 0.018) ** 2) * np.sin(2 * np.pi * 55 * beat_s)
    return np.asarray(HEART_LEVEL * (first + second))


def _wheeze(time_s: Float64, rng: np.random.Generator) -> Float64:
    """A tone with two harmonics through most of expiration, its pitch falling a little."""
    start_s = EXPIRATION_S[0] + rng.uniform(0.05, 0.15)
    end_s = EXPIRATION_S[1] - rng.uniform(0.05, 0.25)
    pitch_hz = rng.uniform(320, 460) * (1 - 0.06 * (time_s - start_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) * (time_s[1] - time_s[0])
    tone = np.sin(phase) + 0.35 * np.sin(2 * phase) + 0.12 * np.sin(3 * phase)
    return np.asarray(WHEEZE_LEVEL * np.sqrt(_hump(time_s, start_s, end_s)) * tone)


def _crackles(samples: int, sample_rate_hz: int, rng: np.random.Generator) -> Float64:
    """Coarse crackles in both phases, fine ones late in inspiration, where twice as many fall as in expiration.

    The proportion: Vyshedskiy et al., "Mechanism of inspiratory and expiratory crackles", Chest 135 (2009).
    """
    sound = np.zeros(samples)
    late_s = (sum(INSPIRATION_S) / 2, INSPIRATION_S[1])
    for shape, count, between_s in ((COARSE, 10, INSPIRATION_S), (FINE, 10, late_s), (COARSE, 10, EXPIRATION_S)):
        deflection = crackle(shape, sample_rate_hz)
        for at_s in rng.uniform(*between_s, size=count):
            at = round(at_s * sample_rate_hz)
            sound[at : at + deflection.size] += CRACKLE_LEVEL * rng.uniform(0.4, 1.0) * deflection
    return sound


def _hump(time_s: Float64, start_s: float, end_s: float) -> Float64:
    """Half a sine between two times, 0 elsewhere."""
    inside = np.clip((time_s - start_s) / (end_s - start_s), 0, 1)
    return np.asarray(np.sin(np.pi * inside))
