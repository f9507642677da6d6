"""Which parts of a recording a person is given to hear, and those parts as WAV files, cut out of a stream."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.report.findings import Stretch

Float32 = NDArray[np.float32]

MAX_EXCERPT_S = 120.0
"""All of an ICBHI recording (10 to 90 s); of a longer one, as much around its findings as one listens to."""
BEFORE_S, AFTER_S = 2.0, 9.0
"""Around the beginning of a window: the 7 s of the released models, and as much before and after to compare with."""
FULL_SCALE = 0.9
MAX_GAIN_DB = 40.0
"""Stethoscopes record softly, and a laptop's loudspeaker is weak below 200 Hz; more would only raise noise."""


@dataclass(frozen=True)
class Excerpt:
    """From when to when."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Clip:
    """An excerpt as a WAV file: mono, 16 bit."""

    start_s: float
    end_s: float
    gain_db: float
    """By how much it was made louder; the same for all clips of a recording."""
    wave: bytes


def choose_excerpts(sound_s: float, flagged: Sequence[Stretch], limit_s: float = MAX_EXCERPT_S) -> list[Excerpt]:
    """All of a recording of at most `limit_s`; else what lies around its most probable abnormal windows, in order.

    Where there is none, the beginning.
    """
    if sound_s <= limit_s:
        return [Excerpt(0.0, sound_s)]
    abnormal = sorted((s for s in flagged if s.label is not None), key=lambda s: -(s.probability or 0.0))
    chosen: list[Excerpt] = []
    for stretch in abnormal:
        peak_s = stretch.start_s if stretch.peak_start_s is None else stretch.peak_start_s
        wider = _united([*chosen, Excerpt(max(peak_s - BEFORE_S, 0.0), min(peak_s + AFTER_S, sound_s))])
        if _total_s(wider) > limit_s:
            break
        chosen = wider
    return chosen or [Excerpt(0.0, limit_s)]


class Cutter:
    """Keeps the excerpts of a stream, and nothing else of it."""

    def __init__(self, excerpts: Sequence[Excerpt], sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._bounds = [(round(e.start_s * sample_rate_hz), round(e.end_s * sample_rate_hz)) for e in excerpts]
        self._pieces: list[list[Float32]] = [[] for _ in excerpts]
        self._samples = 0

    def add(self, sound: Float32) -> None:
        """The next piece of the stream, float32 [n] of conditioned sound."""
        for (first, end), pieces in zip(self._bounds, self._pieces, strict=True):
            within = sound[max(first - self._samples, 0) : max(end - self._samples, 0)]
            if within.size:
                pieces.append(within.copy())
        self._samples += sound.size

    def clips(self) -> list[Clip]:
        """What was kept, all of it louder by one gain."""
        kept = [(first, np.concatenate(p)) for (first, _), p in zip(self._bounds, self._pieces, strict=True) if p]
        peak = max((float(np.abs(samples).max()) for _, samples in kept), default=0.0)
        gain = min(FULL_SCALE / max(peak, 1e-9), 10 ** (MAX_GAIN_DB / 20))
        return [self._clip(first, samples, gain) for first, samples in kept]

    def _clip(self, first: int, samples: Float32, gain: float) -> Clip:
        start_s, end_s = first / self._rate_hz, (first + samples.size) / self._rate_hz
        return Clip(start_s, end_s, 20 * float(np.log10(gain)), _wave_file(samples * gain, self._rate_hz))


def _total_s(excerpts: Sequence[Excerpt]) -> float:
    return sum(excerpt.end_s - excerpt.start_s for excerpt in excerpts)


def _united(excerpts: Iterable[Excerpt]) -> list[Excerpt]:
    """In order of time; those that touch become one."""
    united: list[Excerpt] = []
    for excerpt in sorted(excerpts, key=lambda excerpt: excerpt.start_s):
        if united and excerpt.start_s <= united[-1].end_s:
            united[-1] = Excerpt(united[-1].start_s, max(united[-1].end_s, excerpt.end_s))
        else:
            united.append(excerpt)
    return united


def _wave_file(samples: Float32, sample_rate_hz: int) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return content.getvalue()
