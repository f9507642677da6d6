"""A printed figure beside the measured one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """One number of the paper and what the data say."""

    where: str
    """Its place, such as `table 4, Litt3200, wheeze`."""
    paper: float
    measured: float
    decimals: int = 0
    """As printed."""

    @property
    def agrees(self) -> bool:
        """Whether the measured value, rounded as the paper's, is the paper's."""
        return abs(self.paper - self.measured) <= rounding(self.decimals)


def differences(comparisons: Sequence[Comparison]) -> list[str]:
    """One sentence for each that disagrees; measured values with enough decimals to see why."""
    return [
        f"{each.where}: paper {each.paper:.{each.decimals}f}, measured {_measured(each)}"
        for each in comparisons
        if not each.agrees
    ]


def interchanged(
    paper: Mapping[str, NDArray[np.float64]], measured: Mapping[str, NDArray[np.float64]], decimals: int = 0
) -> list[tuple[str, str, list[int]]]:
    """Pairs of rows that the paper prints in each other's place, with the columns where it does.

    Only columns where the rows themselves differ count: there, each printed value is the other row's measured one.
    """
    names = list(paper)
    pairs = [(first, second) for at, first in enumerate(names) for second in names[at + 1 :]]
    found = []
    for first, second in pairs:
        crossed = _agree(paper[first], measured[second], decimals) & _agree(paper[second], measured[first], decimals)
        straight = _agree(paper[first], measured[first], decimals) & _agree(paper[second], measured[second], decimals)
        columns = np.flatnonzero(crossed & ~straight).tolist()
        if columns:
            found.append((first, second, columns))
    return found


def rounding(decimals: int) -> float:
    """How far rounding to that many decimals may move a number, and the error of the arithmetic."""
    return (0.5 + 1e-6) / float(10**decimals)


def _agree(paper: NDArray[np.float64], measured: NDArray[np.float64], decimals: int) -> NDArray[np.bool_]:
    agree: NDArray[np.bool_] = np.abs(paper - measured) <= rounding(decimals)
    return agree


def _measured(comparison: Comparison) -> str:
    whole = float(comparison.measured).is_integer() and comparison.decimals == 0
    return f"{comparison.measured:.{0 if whole else comparison.decimals + 2}f}"
