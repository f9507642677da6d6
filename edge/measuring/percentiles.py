"""Percentiles that say so where there are too few values for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PERCENTS = (50, 95, 99)
MIN_ABOVE = 5
"""So many values must lie above a percentile: of fewer, one slow moment of the machine decides what it is."""


@dataclass(frozen=True)
class Percentiles:
    """Of one list of durations."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    """None, in each of them: there are too few values."""


def percentiles_from(durations_s: Sequence[float]) -> Percentiles:
    """The nearest ranks of `durations_s`, in milliseconds, to a microsecond."""
    ordered = sorted(round(duration_s * 1000, 3) for duration_s in durations_s)
    p50_ms, p95_ms, p99_ms = (_maybe_rank(percent, ordered) for percent in PERCENTS)
    return Percentiles(len(ordered), p50_ms, p95_ms, p99_ms, ordered[-1] if ordered else None)


def needed_for(percent: int) -> int:
    """How many values a percentile takes."""
    return math.ceil(MIN_ABOVE * 100 / (100 - percent))


def _maybe_rank(percent: int, ordered: Sequence[float]) -> float | None:
    if len(ordered) < needed_for(percent):
        return None
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]
