"""Coughs told apart and counted: where one begins and where it ends, from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.coughs_and_voices.detector import COUGH, ONSET
from edge.coughs_and_voices.features import HOP_S

Float32 = NDArray[np.float32]

COUNTED_LIKELIHOOD = 0.4
"""A frame at least so likely in a cough is part of one."""
ONSET_LIKELIHOOD = 0.4
"""At its peak, from which on a cough begins although the one before has not ended."""
LEAST_APART_S = 0.5
"""From one beginning to the next; faster ones are counted as one."""
PAUSE_S = 0.3
"""Between the burst and the voiced end of one cough there may be so much that is neither."""
LEAST_S = 0.08
"""Of frames in a cough; less is none."""
PEAK_LIKELIHOOD = 0.8
"""That at least one frame of a cough reaches."""


@dataclass(frozen=True)
class Cough:
    """One, from its burst to the end of its last phase."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Coughing:
    """What a stream must remember between frames."""

    first: int | None = None
    """The frame in which the present cough began; None between coughs."""
    last: int = 0
    """The latest frame in it."""
    frames: int = 0
    """How many frames are in it."""
    peak: float = 0.0
    """How likely the likeliest of them is in a cough."""
    onsets: tuple[float, float] = (0.0, 0.0)
    """How likely the two latest frames were a beginning."""


def follow_coughs(likely: Float32, first: int, state: Coughing) -> tuple[list[Cough], Coughing]:
    """The coughs that the next frames end, and the new state.

    Parameters: `likely` float32 [k, 3], the detector's answers; `first` the number in the stream of the first of them.
    """
    if state.first is None and not (likely[:, COUGH] >= COUNTED_LIKELIHOOD).any():
        return [], replace(state, onsets=_latest_onsets(likely, state))
    ended: list[Cough] = []
    for number, (cough, onset) in enumerate(likely[:, [COUGH, ONSET]].tolist(), start=first):
        before, peak = state.onsets
        begins_anew = peak >= ONSET_LIKELIHOOD and before < peak >= onset
        if state.first is not None and begins_anew and number - 1 - state.first >= round(LEAST_APART_S / HOP_S):
            ended += _cough(replace(state, last=min(state.last, number - 2)))
            state = replace(state, first=number - 1, last=number - 1, frames=1, peak=0.0)
        elif state.first is not None and number - state.last > round(PAUSE_S / HOP_S):
            ended += _cough(state)
            state = replace(state, first=None, frames=0, peak=0.0)
        if cough >= COUNTED_LIKELIHOOD:
            begun = number if state.first is None else state.first
            state = replace(state, first=begun, last=number, frames=state.frames + 1, peak=max(state.peak, cough))
        state = replace(state, onsets=(peak, onset))
    return ended, state


def finish_coughs(state: Coughing) -> list[Cough]:
    """The cough that the end of the stream ends, if there is one."""
    return list(_cough(state))


def _latest_onsets(likely: Float32, state: Coughing) -> tuple[float, float]:
    before, latest = [*state.onsets, *likely[-2:, ONSET].tolist()][-2:]
    return before, latest


def _cough(state: Coughing) -> Iterator[Cough]:
    long_enough = state.frames >= round(LEAST_S / HOP_S)
    if state.first is not None and long_enough and state.peak >= PEAK_LIKELIHOOD:
        yield Cough((state.first - 0.5) * HOP_S, (state.last + 0.5) * HOP_S)
