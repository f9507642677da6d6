"""Coughs, voices and crying laid into breath sounds, whose labels stay: what a network must not take for a wheeze."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from train.cycles import Cycle
from train.sound_marks.by_cycle import DISTURBANCES, marks_by_cycle

Float32 = NDArray[np.float32]

_FADE_S = 0.02
_MOST_AT_ONCE = 3


class Disturbances:
    """The marked stretches of some cycles (`train.sound_marks`): training ones, so that nobody is heard who is tested.

    Conditioned sound, as the cycles are. Where nothing is marked, nothing is mixed.
    """

    def __init__(self, cycles: Sequence[Cycle], sample_rate_hz: int) -> None:
        marks = marks_by_cycle()
        fade = round(_FADE_S * sample_rate_hz)
        self.pieces = [
            _faded(piece, fade)
            for cycle in cycles
            for mark in marks.get((cycle.recording, cycle.index), ())
            if mark.kind in DISTURBANCES
            and (piece := cycle.samples[round(mark.start_s * sample_rate_hz) : round(mark.end_s * sample_rate_hz)]).size
            > 2 * fade
        ]

    def mix(self, window: Float32, level_db: tuple[float, float], rng: Generator) -> Float32:
        """`window`, float32 [n], with one to three of the pieces at random places.

        Each is louder than the window by a number of decibels, RMS to RMS, drawn from `level_db`.
        """
        if not self.pieces:
            return window
        mixed, level = window.copy(), _rms(window)
        for _ in range(int(rng.integers(1, _MOST_AT_ONCE + 1))):
            piece = self.pieces[int(rng.integers(len(self.pieces)))][: window.size]
            start = int(rng.integers(window.size - piece.size + 1))
            gain = level * 10 ** (rng.uniform(*level_db) / 20) / max(_rms(piece), 1e-9)
            mixed[start : start + piece.size] += np.float32(gain) * piece
        return mixed


def _faded(piece: Float32, fade: int) -> Float32:
    if piece.size <= 2 * fade:
        return piece
    rise = np.linspace(0, 1, fade, dtype=np.float32)
    faded = piece.copy()
    faded[:fade] *= rise
    faded[-fade:] *= rise[::-1]
    return faded


def _rms(samples: Float32) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
