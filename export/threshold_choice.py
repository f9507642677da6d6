"""From which abnormal probability on sound is to be called abnormal: thresholds, and the figures of answers at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.errors import OperatingPointError
from export.reliability import Answers
from train.bootstrap import RESAMPLES, SEED, drawn_figures, intervals, patient_counts
from train.metrics import NORMAL

BALANCED, SENSITIVE, SPECIFIC = "balanced", "sensitive", "specific"
POINTS: Final = (BALANCED, SENSITIVE, SPECIFIC)
LEAST_SENSITIVITY: Final = 0.80
"""Of `SENSITIVE`, in two classes."""
LEAST_SPECIFICITY: Final = 0.95
"""Of `SPECIFIC`, in two classes."""
GRID: Final[NDArray[np.float64]] = np.arange(1, 10_000) / 10_000
"""The thresholds that are tried: probabilities are written with four digits."""
GROUPS: Final = 10
"""Of patients, for the figures of thresholds that were chosen without them."""
_FIGURES: Final = ("score", "sensitivity", "specificity")


def choose_thresholds(answers: Answers) -> dict[str, float]:
    """One of `GRID` for each of `POINTS`, from calibrated answers.

    `balanced` has the highest four-class Score (of several in a row the middle one). `sensitive` is the highest
    threshold that calls 80 % of the abnormal cycles abnormal, `specific` the lowest that calls 95 % of the normal
    cycles normal: two-class figures, since normal or abnormal is all that a threshold decides. Raises
    OperatingPointError where there are no normal or no abnormal cycles, or no threshold is one.
    """
    abnormality, is_abnormal = _abnormality(answers), answers.labels != NORMAL
    if is_abnormal.all() or not is_abnormal.any():
        raise OperatingPointError("the answers are all to normal or all to abnormal cycles; give some to both")
    named = is_abnormal & (_likeliest_abnormal(answers) == answers.labels)
    sensitivity = 1 - _share_below(abnormality[is_abnormal])
    specificity = _share_below(abnormality[~is_abnormal])
    exact = (1 - _share_below(abnormality[named])) * named.sum() / is_abnormal.sum() if named.any() else 0 * GRID
    sensitive = np.flatnonzero(sensitivity >= LEAST_SENSITIVITY)
    specific = np.flatnonzero(specificity >= LEAST_SPECIFICITY)
    if not sensitive.size or not specific.size:
        raise OperatingPointError(
            f"no threshold from {GRID[0]} to {GRID[-1]} is sensitive or specific enough; calibrate with --temperature"
        )
    places = (_middle_of_first_run((exact + specificity) / 2), sensitive[-1], specific[0])
    return {name: float(GRID[place]) for name, place in zip(POINTS, places, strict=True)}


def predict(answers: Answers, thresholds: float | NDArray[np.float64]) -> NDArray[np.int64]:
    """The classes that `edge.decision.decide` names for [n, 4] at one threshold, or at one for each; int64 [n]."""
    return np.where(_abnormality(answers) < thresholds, NORMAL, _likeliest_abnormal(answers))


def figures_at(answers: Answers, threshold: float, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Two-class and four-class Score, Se and Sp of calibrated answers, with 95 % intervals over patients, as JSON."""
    return _figures(answers, predict(answers, threshold), resamples)


def held_out_figures(answers: Answers) -> Mapping[str, Any]:
    """By point, the figures where each tenth of the patients is decided by thresholds that the others choose.

    Without intervals. Those of `figures_at` are of the patients that the threshold was chosen on. Empty where patients
    are too few or too alike to choose without some.
    """
    names = np.random.default_rng(SEED).permutation(np.unique(answers.patients))
    if len(names) < 2:
        return {}
    thresholds = {point: np.zeros(len(answers.labels)) for point in POINTS}
    for group in np.array_split(names, min(GROUPS, len(names))):
        theirs = np.isin(answers.patients, group)
        try:
            chosen = choose_thresholds(answers.of(~theirs))
        except OperatingPointError:
            return {}
        for point in POINTS:
            thresholds[point][theirs] = chosen[point]
    return {point: _figures(answers, predict(answers, thresholds[point]), 0) for point in POINTS}


def _figures(answers: Answers, predicted: NDArray[np.int64], resamples: int) -> dict[str, Any]:
    abnormality = _abnormality(answers)
    two = np.stack([1 - abnormality, abnormality], axis=1)
    is_abnormal, said_abnormal = ((each != NORMAL).astype(np.int64) for each in (answers.labels, predicted))
    return {
        "two_class": _shares(is_abnormal, two, answers.patients, said_abnormal, resamples),
        "four_class": _shares(answers.labels, answers.probabilities, answers.patients, predicted, resamples),
    }


def _shares(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    patients: NDArray[np.str_],
    predicted: NDArray[np.int64],
    resamples: int,
) -> dict[str, Any]:
    counts = patient_counts(labels, probabilities, patients, predicted)
    found = drawn_figures(counts, np.ones((1, len(counts.confusion)), dtype=np.int64))
    shares: dict[str, Any] = {name: round(float(found[name][0]), 4) for name in _FIGURES}
    if resamples:
        ends = intervals(counts, np.random.default_rng(SEED), resamples).ends
        shares["intervals"] = {name: _rounded(ends[name]) for name in _FIGURES}
    return shares


def _rounded(ends: tuple[float, float] | None) -> list[float] | None:
    return None if ends is None else [round(end, 4) for end in ends]


def _abnormality(answers: Answers) -> NDArray[np.float64]:
    return np.asarray(1 - answers.probabilities[:, NORMAL], dtype=np.float64)


def _likeliest_abnormal(answers: Answers) -> NDArray[np.int64]:
    return np.asarray(1 + answers.probabilities[:, 1:].argmax(axis=1), dtype=np.int64)


def _share_below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `values`, for each of `GRID`."""
    return np.asarray(np.searchsorted(np.sort(values), GRID, "left") / len(values), dtype=np.float64)


def _middle_of_first_run(values: NDArray[np.float64]) -> int:
    """Among those places of the highest value that follow each other first."""
    best = np.flatnonzero(values >= values.max() - 1e-12)
    gaps = np.flatnonzero(np.diff(best) > 1)
    run = best[: gaps[0] + 1] if gaps.size else best
    return int(run[(len(run) - 1) // 2])
