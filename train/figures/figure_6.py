"""Figure 6: confusion matrices before and after fine-tuning for each stethoscope."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from edge.labels import LABELS
from train.errors import ConfigError
from train.figures.picture import new_picture
from train.metrics import scores_from_confusion
from train.tables import figure_6 as counted
from train.tables.figure_6 import Confusion
from train.tables.run_results import FoundRuns
from train.tables.table import Table


def figure_6(found: FoundRuns) -> tuple[Figure, list[Table]]:
    """Two matrices for each kind of run, and their numbers as `python -m train.tables figure-6` prints them.

    Raises ConfigError where no run has both stages.
    """
    pairs = counted.confusions(found)
    if not pairs:
        raise ConfigError(f"no finished run with both stages on the 80/20 split: make some with {counted.COMMAND}")
    return _picture(pairs), counted.figure_6(found)


def _picture(pairs: list[Confusion]) -> Figure:
    picture = new_picture(11, 5.4 * len(pairs))
    rows = picture.subplots(len(pairs), 2, squeeze=False)
    for number, ((before, after), pair) in enumerate(zip(rows, pairs, strict=True), start=1):
        # In the order of the printed tables, which say what tells the runs apart.
        which = f"runs {number}, " if len(pairs) > 1 else ""
        seeds = f"{pair.seeds} seed{'s, added up' if pair.seeds > 1 else ''}"
        cycles = int(pair.before.sum()) // pair.seeds
        _draw_matrix(before, pair.before, f"{which}before fine-tuning; {pair.extent}, {cycles} cycles")
        shown = _draw_matrix(after, pair.after, f"{which}after; {seeds}, {pair.protocol}")
        picture.colorbar(shown, ax=[before, after], label="% of the true class")
    picture.suptitle("ICBHI, 80/20 split: confusion before and after fine-tuning for each stethoscope")
    return picture


def _draw_matrix(axes: Axes, counts: NDArray[np.int64], title: str) -> AxesImage:
    """Each row in per cent of its true class, with the counts."""
    totals = counts.sum(axis=1, keepdims=True)
    percent = np.divide(100 * counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    shown = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if percent[row, column] > 50 else "black"
        share = f"{percent[row, column]:.1f} %" if totals[row] else "–"
        axes.text(column, row, f"{share}\n{count}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    scores = scores_from_confusion(counts)
    figures = f"Score {100 * scores.score:.1f}, Se {100 * scores.sensitivity:.1f}, Sp {100 * scores.specificity:.1f}"
    axes.set_title(f"{title}\n{figures}", fontsize="medium")
    return shown
