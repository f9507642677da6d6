"""How sure the figures are: 95 % intervals by drawing patients, with all their cycles, again and again.

Cycles of one patient are alike, so that patients and not cycles are drawn, as many as there are and with replacement:
the cluster bootstrap with percentile intervals (Davison and Hinkley, Bootstrap Methods and their Application, 1997,
sections 3.8 and 5.3). Every figure follows from counts by patient, made once: Score, Se and Sp from each patient's
confusion matrix, AUC, exactly, from the pairs that each two patients' cycles make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.metrics import NORMAL

RESAMPLES: Final = 2000
"""For an interval: from seed to seed its ends then move by about 2 % of its width, as quantiles of a normal do."""
SEED: Final = 0
"""Of the reports, so that the same answers give the same intervals."""
FIGURES: Final = ("score", "sensitivity", "specificity", "abnormal_auc")
FEWEST_PATIENTS: Final = 6
"""For an interval. By chance all of n patients lie on one side of the truth in 2^(1-n) of samples, and every resample
with them: below six no interval of resamples can hold it in 95 %. Two patients' holds it half the time (measured)."""
_TAILS: Final = (2.5, 97.5)

Figures = Mapping[str, NDArray[np.float64]]
"""Per name of `FIGURES`, one value a resample; NaN where the resample lacks normal or abnormal cycles that it needs."""


@dataclass(frozen=True, eq=False)
class PatientCounts:
    """What each patient adds to the figures; patients in the order of their names."""

    confusion: NDArray[np.int64]
    """[patients, classes, classes]: cycles by true and by predicted class."""
    wins: NDArray[np.float64]
    """[patients, patients]: pairs of an abnormal cycle of the first and a normal one of the second patient in which the
    abnormal one is thought more abnormal, ties half."""


@dataclass(frozen=True)
class Intervals:
    """By the names of `FIGURES`."""

    ends: Mapping[str, tuple[float, float] | None]
    """Of 95 %; None where patients are too few to say."""
    resamples: int
    left_out: int
    """Resamples without normal or without abnormal cycles, which say nothing of Score and AUC."""


@dataclass(frozen=True)
class Difference:
    """One figure of a model less that of another on the same cycles; None where it cannot be said."""

    value: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    """Two-sided; see `differences`."""


def patient_counts(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    patients: NDArray[np.str_],
    predicted: NDArray[np.integer] | None = None,
) -> PatientCounts:
    """From int [n], floating [n, classes] and str [n]; `predicted`, int [n], is the likeliest class where not given."""
    names, owners = np.unique(patients, return_inverse=True)
    said = probabilities.argmax(axis=1) if predicted is None else predicted
    confusion = np.zeros((len(names), probabilities.shape[1], probabilities.shape[1]), dtype=np.int64)
    np.add.at(confusion, (owners, labels, said), 1)
    return PatientCounts(confusion, _wins(labels, 1 - probabilities[:, NORMAL], owners, len(names)))


def draw_patients(patients: int, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each patient is drawn, int [resamples, patients]; every row sums to the number of patients."""
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=resamples)


def drawn_figures(counts: PatientCounts, drawn: NDArray[np.int64]) -> Figures:
    """The figures of each row of `drawn`, as `draw_patients` makes it."""
    # All of it is sums of halves far below 2^53: exact, whatever order the processor adds in.
    weights = drawn.astype(np.float64)
    matrices = (weights @ counts.confusion.reshape(len(counts.confusion), -1)).reshape(-1, *counts.confusion.shape[1:])
    totals, hits = matrices.sum(axis=2), np.diagonal(matrices, axis1=1, axis2=2)
    abnormal = np.arange(totals.shape[1]) != NORMAL
    normal_cycles, abnormal_cycles = totals[:, NORMAL], totals[:, abnormal].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        specificity = hits[:, NORMAL] / normal_cycles
        sensitivity = hits[:, abnormal].sum(axis=1) / abnormal_cycles
        auc = ((weights @ counts.wins) * weights).sum(axis=1) / (normal_cycles * abnormal_cycles)
    score = (sensitivity + specificity) / 2
    return dict(zip(FIGURES, (score, sensitivity, specificity, auc), strict=True))


def intervals(counts: PatientCounts, rng: np.random.Generator, resamples: int = RESAMPLES) -> Intervals:
    """Of each figure; None where fewer than `FEWEST_PATIENTS` have the normal, or the abnormal, cycles it is made of.

    An interval of one patient drawn again and again, of width nought, would look like certainty.
    """
    found = drawn_figures(counts, draw_patients(len(counts.confusion), resamples, rng))
    people = _patients_behind(counts)
    ends = {name: _ends(found[name]) if people[name] >= FEWEST_PATIENTS else None for name in FIGURES}
    return Intervals(ends, resamples, int(np.isnan(found["score"]).sum()))


def differences(
    ours: Sequence[PatientCounts],
    theirs: Sequence[PatientCounts],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Difference]:
    """Each figure of one model less that of another on the same cycles, the same patients drawn for both.

    Either may have been trained with several seeds: the mean of their figures then counts. The p-value is two-sided
    and reads the same resamples: where of B of them k have a difference of at most 0 and m of at least 0, it is
    2 (1 + min(k, m)) / (1 + B), at most 1. So it is below 0.05 where the interval leaves out 0, give or take a
    resample. It is never below 2^(1-n), what a sign test says of n patients who all prefer the same model. Of fewer
    than `FEWEST_PATIENTS` neither is given.
    """
    drawn = draw_patients(len(ours[0].confusion), resamples, rng)
    everyone = np.ones((1, drawn.shape[1]), dtype=np.int64)
    resampled, whole = (_mean_difference(ours, theirs, each) for each in (drawn, everyone))
    people = _patients_behind(ours[0])
    return {name: _difference(whole[name][0], resampled[name], people[name]) for name in FIGURES}


def _wins(
    labels: NDArray[np.integer], abnormality: NDArray[np.floating], owners: NDArray[np.intp], patients: int
) -> NDArray[np.float64]:
    abnormal = labels != NORMAL
    wins = np.zeros((patients, patients))
    for patient in range(patients):
        ordered = np.sort(abnormality[~abnormal & (owners == patient)])
        below, up_to = (np.searchsorted(ordered, abnormality[abnormal], side) for side in ("left", "right"))
        wins[:, patient] = np.bincount(owners[abnormal], (below + up_to) / 2, minlength=patients)
    return wins


def _patients_behind(counts: PatientCounts) -> dict[str, int]:
    """How many patients have the cycles that a figure is made of; of the two sides of Score and AUC, the fewer."""
    by_class = counts.confusion.sum(axis=2)
    normal = int((by_class[:, NORMAL] > 0).sum())
    abnormal = int(np.delete(by_class, NORMAL, axis=1).any(axis=1).sum())
    return dict(zip(FIGURES, (min(normal, abnormal), abnormal, normal, min(normal, abnormal)), strict=True))


def _ends(values: NDArray[np.float64]) -> tuple[float, float] | None:
    found = values[np.isfinite(values)]
    if not found.size:
        return None
    low, high = np.percentile(found, _TAILS)
    return float(low), float(high)


def _mean_difference(
    ours: Sequence[PatientCounts], theirs: Sequence[PatientCounts], drawn: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    sides = [[drawn_figures(counts, drawn) for counts in side] for side in (ours, theirs)]
    first, second = ({name: np.mean([each[name] for each in side], axis=0) for name in FIGURES} for side in sides)
    # Without rounding, the same seeds in another order would differ in the last bit, to one side.
    return {name: np.round(first[name] - second[name], 12) for name in FIGURES}


def _difference(value: np.float64, resampled: NDArray[np.float64], patients: int) -> Difference:
    if np.isnan(value):
        return Difference(None, None, None)
    if patients < FEWEST_PATIENTS:
        return Difference(float(value), None, None)
    found = resampled[np.isfinite(resampled)]
    rarer = min(int((found <= 0).sum()), int((found >= 0).sum()))
    p_value = max(2 * (1 + rarer) / (1 + found.size), 2.0 ** (1 - patients))
    return Difference(float(value), _ends(found), min(1.0, p_value))
