"""Figure 4: how long the annotated breathing cycles are."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from train import paper
from train.figures.picture import new_picture
from train.tables import figure_4 as counted
from train.tables.annotations import AnnotationSet, cycle_lengths_s
from train.tables.table import Table

STEP_S = 0.5


def figure_4(annotations: AnnotationSet) -> tuple[Figure, list[Table]]:
    """The histogram, and its numbers as `python -m train.tables figure-4` prints them."""
    return _picture(annotations), counted.figure_4(annotations)


def _picture(annotations: AnnotationSet) -> Figure:
    lengths_s = cycle_lengths_s(annotations.recordings)
    edges_s = np.arange(0, lengths_s.max() + STEP_S, STEP_S).tolist()
    picture = new_picture(8, 4.5)
    axes = picture.subplots()
    axes.hist(lengths_s, edges_s, color="tab:blue", edgecolor="white")
    axes.axvline(lengths_s.mean(), color="black", linestyle="--", label=f"mean {lengths_s.mean():.2f} s")
    axes.legend()
    axes.set_xlabel(f"length of the cycle (s), in steps of {STEP_S} s")
    axes.set_ylabel("cycles")
    axes.set_title(f"ICBHI ({annotations.extent}): length of {len(lengths_s)} breathing cycles\n{_shares(lengths_s)}")
    return picture


def _shares(lengths_s: NDArray[np.float64]) -> str:
    parts = []
    for each in paper.FIGURE_4:
        measured = counted.percent_between(lengths_s, each.from_s, each.below_s)
        span = f"{each.from_s:.0f} to {each.below_s:.0f} s"
        parts.append(f"{span}: {measured:.1f} % (paper: {each.percent:.0f} %)")
    return "; ".join(parts)
