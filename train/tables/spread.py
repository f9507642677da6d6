"""A figure over several seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a figure that was measured once per seed."""

    mean: float
    sd: float | None
    """Of the sample (n - 1); None for one seed."""


def spread(values: Sequence[float | None]) -> Spread | None:
    """Over the seeds that have the figure; None where none has."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None)


def mean_of(value: Spread | None) -> float | None:
    """The mean alone, where there is one."""
    return None if value is None else value.mean
