"""Do probabilities mean what they say? Likelihood, calibration error, and the temperature that fits best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle import TEMPERATURES
from edge.decision import calibrate

BINS = 10
_LEAST = float(np.finfo(np.float32).tiny)
"""An engine may answer 0, whose logarithm no average survives."""
_HALVINGS = 60
"""Of an interval of a hundred: far finer than any figure shows."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network answered for annotated cycles."""

    probabilities: NDArray[np.float64]
    """[n, 4], not calibrated."""
    labels: NDArray[np.int64]
    """[n], the true classes."""
    patients: NDArray[np.str_]
    """[n], with the dataset's name, so that two datasets may count alike."""

    def of(self, chosen: NDArray[np.bool_]) -> Answers:
        """The cycles chosen by bool [n]."""
        return Answers(self.probabilities[chosen], self.labels[chosen], self.patients[chosen])

    def calibrated(self, temperature: float) -> Answers:
        """The same after `edge.decision.calibrate`."""
        return Answers(calibrate(self.probabilities, temperature), self.labels, self.patients)


def negative_log_likelihood(answers: Answers) -> float:
    """Mean of -log of the probability that the true class was given."""
    given = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
    return float(-np.log(np.maximum(given, _LEAST)).mean())


def calibration_error(answers: Answers) -> float:
    """Expected calibration error of the likeliest class, ten equal bins (Guo et al., 2017, equation 3)."""
    confidence = answers.probabilities.max(axis=1)
    hits = answers.probabilities.argmax(axis=1) == answers.labels
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    excess = np.bincount(bins, confidence, BINS) - np.bincount(bins, hits, BINS)
    return float(np.abs(excess).sum() / len(hits))


def fit_temperature(answers: Answers) -> float:
    """The temperature within `TEMPERATURES` of the least negative log-likelihood.

    That is convex in 1 / temperature, so its slope is bisected: the mean over cycles of the expected log probability
    under the calibrated probabilities, less the true class's.
    """
    logs = np.log(np.maximum(answers.probabilities, _LEAST))
    true = logs[np.arange(len(logs)), answers.labels].mean()
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = (calibrate(answers.probabilities, 1 / middle) * logs).sum(axis=1).mean()
        low, high = (middle, high) if expected < true else (low, middle)
    return float(np.clip(2 / (low + high), *TEMPERATURES))


def left_out_likelihood(answers: Answers, judged: NDArray[np.bool_], fitted: NDArray[np.bool_]) -> float | None:
    """Negative log-likelihood of the `judged` cycles, each patient's under a temperature fitted without them.

    The temperature is fitted on the `fitted` cycles of all other patients; None where there is no other. Both bool [n].
    """
    total = 0.0
    for patient in np.unique(answers.patients[judged]):
        theirs = answers.patients == patient
        others = answers.of(fitted & ~theirs)
        if not len(others.labels):
            return None
        own = answers.of(judged & theirs)
        total += len(own.labels) * negative_log_likelihood(own.calibrated(fit_temperature(others)))
    return total / int(judged.sum())
