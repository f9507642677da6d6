"""Figure 4: how long the annotated breathing cycles are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train import paper
from train.tables.annotations import AnnotationSet, cycle_lengths_s
from train.tables.comparison import Comparison, differences
from train.tables.table import Column, Table
from train.tables.table_4 import facts, subset_notes

BAR = 50
"""Characters of the longest bar."""


def figure_4(annotations: AnnotationSet) -> list[Table]:
    """What the paper says of the lengths beside the measured figures, and the distribution in steps of one second."""
    lengths_s = cycle_lengths_s(annotations.recordings)
    return [_summary(annotations, lengths_s), _distribution(annotations, lengths_s)]


def percent_between(lengths_s: NDArray[np.float64], from_s: float, below_s: float) -> float:
    """Per cent of the cycles that last `from_s` or longer and less than `below_s`."""
    return 100 * float(((lengths_s >= from_s) & (lengths_s < below_s)).mean())


def _comparisons(lengths_s: NDArray[np.float64]) -> list[Comparison]:
    found = [
        Comparison("shortest, s", paper.SHORTEST_CYCLE_S, float(lengths_s.min()), 1),
        Comparison("mean, s", paper.MEAN_CYCLE_S, float(lengths_s.mean()), 1),
        Comparison("longest, s", paper.LONGEST_CYCLE_S, float(lengths_s.max()), 1),
    ]
    return found + [
        Comparison(
            _span(each.from_s, each.below_s), each.percent, percent_between(lengths_s, each.from_s, each.below_s)
        )
        for each in paper.FIGURE_4
    ]


def _summary(annotations: AnnotationSet, lengths_s: NDArray[np.float64]) -> Table:
    compared = _comparisons(lengths_s)
    last = paper.FIGURE_4[0].below_s, paper.FIGURE_4[-1].below_s
    unprinted = {
        "median, s": float(np.median(lengths_s)),
        _span(*last): percent_between(lengths_s, *last),
        f"per cent of {last[1]:.0f} s and more": percent_between(lengths_s, last[1], np.inf),
        "all cycles together, h": float(lengths_s.sum()) / 3600,
    }
    shown = [(each.where, each.paper, each.measured) for each in compared]
    return Table(
        title="Figure 4: length of the breathing cycles",
        facts=facts(annotations),
        columns=(Column(name="figure"), Column(name="paper", decimals=1), Column(name="measured", decimals=2)),
        rows=(*shown, *((name, None, value) for name, value in unprinted.items())),
        differing=frozenset((row, 1) for row, each in enumerate(compared) if not each.agrees),
        notes=tuple(subset_notes(annotations) or _full_notes(compared, lengths_s)),
    )


def _full_notes(compared: list[Comparison], lengths_s: NDArray[np.float64]) -> list[str]:
    named = [f"figure 4, {difference}" for difference in differences(compared)]
    agreeing = f"{len(compared) - len(named)} of {len(compared)} numbers of the paper are the measured ones."
    if not named:
        return [agreeing]
    first, second = paper.FIGURE_4
    widened = percent_between(lengths_s, first.below_s, second.below_s)
    rest = percent_between(lengths_s, second.below_s, np.inf)
    return [
        f"{agreeing} The others:",
        *named,
        f"From {first.below_s:.0f} to {second.below_s:.0f} s lie {widened:.1f} %, later {rest:.1f} %; the caption's "
        f"{first.percent:.0f} % and {second.percent:.0f} % leave {100 - first.percent - second.percent:.0f} %. So its "
        f"second share fits {first.below_s:.0f} to {second.below_s:.0f} s, not {second.from_s:.0f} to "
        f"{second.below_s:.0f} s.",
        f"The {paper.DURATION_H} h of section 2 are the recordings'; their annotated cycles last "
        f"{lengths_s.sum() / 3600:.2f} h.",
    ]


def _distribution(annotations: AnnotationSet, lengths_s: NDArray[np.float64]) -> Table:
    edges = np.arange(0, np.floor(lengths_s.max()) + 2)
    counts, _ = np.histogram(lengths_s, edges)
    rows = [
        (f"{start:.0f} to {start + 1:.0f} s", int(count), 100 * count / len(lengths_s), _bar(count, counts.max()))
        for start, count in zip(edges, counts, strict=False)
    ]
    return Table(
        title="Figure 4, the distribution",
        facts=facts(annotations),
        columns=(Column(name="length"), Column(name="cycles"), Column(name="per cent", decimals=1), Column(name="")),
        rows=tuple(rows),
    )


def _bar(count: int, highest: int) -> str:
    return "█" * round(BAR * count / highest)


def _span(from_s: float, below_s: float) -> str:
    return f"per cent from {from_s:.0f} to {below_s:.0f} s" if from_s else f"per cent under {below_s:.0f} s"
