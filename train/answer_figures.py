"""The figures of a network's answers, over all cycles and per device, and how sure they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.answers import Answers
from train.bootstrap import RESAMPLES, SEED, intervals, patient_counts
from train.metrics import abnormal_auc, confusion_matrix, scores_from_confusion
from train.sound_marks.by_cycle import marks_by_cycle, recordings_looked_at


def figures_of_answers(answers: Answers, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Score, Se, Sp and the rest over all cycles and per device, with 95 % intervals over patients.

    Plain JSON values. `undisturbed` has the figures of a device's cycles without cough, voice or crying, where it is
    known of all its recordings which those are (`train.sound_marks`). `resamples` of 0 leaves the intervals out.
    """
    devices = {device: answers.devices == device for device in np.unique(answers.devices).tolist()}
    return {
        **_figures(answers, resamples),
        "devices": {device: _figures(answers.at(chosen), resamples) for device, chosen in devices.items()},
        "undisturbed": {
            device: _figures(own.at(free), resamples)
            for device, chosen in devices.items()
            if (free := maybe_undisturbed(own := answers.at(chosen))) is not None and free.any()
        },
    }


def maybe_undisturbed(answers: Answers) -> NDArray[np.bool_] | None:
    """Which cycles hold no mark of any kind, bool [cycles]; None where a recording was never looked at."""
    if answers.dataset != "icbhi" or not set(answers.recordings.tolist()) <= recordings_looked_at():
        return None
    marked = marks_by_cycle()
    names = zip(answers.recordings.tolist(), answers.index.tolist(), strict=True)
    return np.array([name not in marked for name in names], dtype=np.bool_)


def _figures(answers: Answers, resamples: int) -> dict[str, Any]:
    matrix = confusion_matrix(answers.labels, answers.probabilities.argmax(axis=1), answers.probabilities.shape[1])
    scores = scores_from_confusion(matrix)
    return {
        "score": _rounded(scores.score),
        "sensitivity": _rounded(scores.sensitivity),
        "specificity": _rounded(scores.specificity),
        "abnormal_auc": _rounded(abnormal_auc(answers.labels, answers.probabilities)),
        **({"intervals": _intervals(answers, resamples)} if resamples else {}),
        "cycles": len(answers.labels),
        "patients": len(np.unique(answers.patients)),
        "confusion": matrix.tolist(),
    }


def _intervals(answers: Answers, resamples: int) -> dict[str, Any]:
    counts = patient_counts(answers.labels, answers.probabilities, answers.patients)
    found = intervals(counts, np.random.default_rng(SEED), resamples)
    ends = {name: None if pair is None else [_rounded(end) for end in pair] for name, pair in found.ends.items()}
    return {**ends, "resamples": found.resamples, "left_out": found.left_out}


def _rounded(value: float) -> float | None:
    # JSON has no NaN: a figure without a cycle to measure it on is null.
    return None if np.isnan(value) else round(value, 4)
