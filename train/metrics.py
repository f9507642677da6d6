"""The ICBHI challenge's figures of merit, from integer labels (paper, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS

NORMAL = LABELS.index("normal")


@dataclass(frozen=True)
class Scores:
    """Fractions from 0 to 1; NaN where a side has no cycle."""

    sensitivity: float
    """Se: abnormal cycles given exactly their class."""
    specificity: float
    """Sp: normal cycles called normal."""
    score: float
    """The mean of the two, by which models are compared and selected."""


def confusion_matrix(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int = len(LABELS)
) -> NDArray[np.int64]:
    """Counts [true label, predicted label] in the order of the task's labels; both inputs are int [n]."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def scores_from_confusion(matrix: NDArray[np.int64]) -> Scores:
    """Se, Sp and Score of a confusion matrix, [4, 4] or, for normal against abnormal, [2, 2]."""
    hits, totals = np.diag(matrix), matrix.sum(axis=1)
    abnormal = np.arange(len(matrix)) != NORMAL
    sensitivity = _share(hits[abnormal].sum(), totals[abnormal].sum())
    specificity = _share(hits[NORMAL], totals[NORMAL])
    return Scores(sensitivity, specificity, (sensitivity + specificity) / 2)


def abnormal_auc(truth: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """Area under the ROC curve of normal against abnormal; NaN with one side empty. `probabilities` is [n, classes].

    The Mann-Whitney form: the chance that an abnormal cycle is given less `normal` than a normal one, ties half.
    """
    abnormal, normal = 1 - probabilities[truth != NORMAL, NORMAL], 1 - probabilities[truth == NORMAL, NORMAL]
    if not abnormal.size or not normal.size:
        return float("nan")
    ordered = np.sort(normal)
    below, up_to = np.searchsorted(ordered, abnormal, "left"), np.searchsorted(ordered, abnormal, "right")
    return float((below + up_to).mean() / (2 * normal.size))


def _share(hits: np.int64, total: np.int64) -> float:
    return float(hits) / float(total) if total else float("nan")
