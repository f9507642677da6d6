"""What becomes of sound that never arrived; the one definition, for the link and for every other source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

MAX_BRIDGED_S = 0.010
"""Gaps up to this are closed by interpolation. Our choice: a fine crackle's length, and little beside a wheeze's."""
BEFORE_S = 0.1
"""So much sound before a gap says how it sounds."""
ORDER = 32
"""Of the autoregressive model; so many samples behind a gap are looked at, too."""
MAX_LOUDER = 2.0
"""A peak that fell into a gap may stand out so much. With 1.0 it would become a straight line, whose corners click."""


def bridge(before: Float32, after: Float32, count: int) -> Float32:
    """float32 [count] that go on with `before` and lead to `after`, each float32 of one sample or more.

    The samples that an autoregressive model of `before`'s last `BEFORE_S` finds least surprising between both sides
    (A. Janssen, R. Veldhuis and L. Vries, "Adaptive interpolation of discrete-time signals that can be modeled as
    autoregressive processes", IEEE TASSP 34, 1986; the model by Burg's method). A straight line, which
    `benchmarks.bridge` sets beside it, is taken where there is too little sound before, or where the samples would be
    more than `MAX_LOUDER` times as loud as what is around them.
    """
    if len(before) < 2 * ORDER or not np.ptp(before):
        return straight_line(before, after, count)
    mean = before.mean(dtype=np.float64)
    model = _burg(before - mean)
    filled = _least_surprising(before[-ORDER:] - mean, after[:ORDER] - mean, count, model) + mean
    loudest = np.abs(np.concatenate([before, after[:ORDER]])).max()
    allowed = max(loudest, min(MAX_LOUDER * loudest, 1.0))
    if np.abs(filled).max(initial=0) > allowed:
        return straight_line(before, after, count)
    return np.asarray(filled, np.float32)


def straight_line(before: Float32, after: Float32, count: int) -> Float32:
    """float32 [count] from the last sample of `before` to the first of `after`."""
    return np.linspace(before[-1], after[0], count + 2)[1:-1].astype(np.float32)


def _burg(samples: Float64) -> Float64:
    """float64 [ORDER]: by how much each earlier sample, the latest first, predicts the next."""
    forward, backward = samples[1:], samples[:-1]
    model = np.zeros(0)
    for _ in range(ORDER):
        power = forward @ forward + backward @ backward
        reflection = 2 * (forward @ backward) / power if power > 0 else 0.0
        model = np.append(model - reflection * model[::-1], reflection)
        forward, backward = (forward - reflection * backward)[1:], (backward - reflection * forward)[:-1]
    return model


def _least_surprising(before: Float64, after: Float64, count: int, model: Float64) -> Float64:
    """float64 [count] with which the model's errors, from the first missing sample on, have the least power.

    Errors reach `ORDER` samples beyond the gap, and the normal equations hold the correlation of the error filter; what
    lies further behind than `after` reaches counts as 0.
    """
    error_filter = np.concatenate([[1.0], -model])
    correlation = np.correlate(error_filter, error_filter, "full")
    known = np.concatenate([before, np.zeros(count), after, np.zeros(ORDER - len(after))])
    right = np.convolve(known, correlation)[2 * ORDER : 2 * ORDER + count]
    lags = np.concatenate([correlation[ORDER:], np.zeros(max(count - ORDER - 1, 0))])[:count]
    places = np.arange(count)
    return np.linalg.solve(lags[np.abs(places[:, np.newaxis] - places)], -right)
