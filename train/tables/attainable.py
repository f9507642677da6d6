"""Which cycles the paper's table 6 can have been measured on: a share is a whole number of cycles over their number."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS
from train import paper
from train.tables.annotations import AnnotatedRecording, class_counts_by_device
from train.tables.comparison import rounding

DECIMALS = 1


def attainable(percent: float, cycles: int) -> bool:
    """Whether some number of `cycles`, in per cent of them and rounded as printed, is `percent`."""
    shares = 100 * np.arange(cycles + 1) / max(1, cycles)
    return bool(cycles and np.abs(shares - percent).min() <= rounding(DECIMALS))


def table_6_notes(tested: Sequence[AnnotatedRecording]) -> list[str]:
    """Rows of table 6 that fit each other's cycles and not their own; `tested` is the 80/20 test side."""
    counts = class_counts_by_device(tested)
    cycles = sum(int(each.sum()) for each in counts.values())
    notes = [note for pair in itertools.combinations(counts, 2) for note in _exchanged(*pair, counts)]
    if cycles != paper.FIGURE_5_CYCLES:
        notes.append(
            f"The released test fold has {cycles} cycles; section 6.2 speaks of {paper.FIGURE_5_CYCLES} samples."
        )
    return notes


def _exchanged(first: str, second: str, counts: Mapping[str, NDArray[np.int64]]) -> list[str]:
    straight = _fitting(first, counts[first]) + _fitting(second, counts[second])
    crossed = _fitting(first, counts[second]) + _fitting(second, counts[first])
    cells = 2 * len(LABELS)
    if crossed < cells or straight == cells:
        return []
    return [
        f"The paper prints {first} and {second} in each other's row: as printed, {straight} of their {cells} shares "
        f"are whole numbers of the stethoscope's cycles in the released test fold; exchanged, all {cells} are."
    ]


def _fitting(row: str, counts: NDArray[np.int64]) -> int:
    """How many of a row's shares some whole number of those cycles can give."""
    return sum(attainable(share, cycles) for share, cycles in zip(paper.TABLE_6[row], counts.tolist(), strict=True))
