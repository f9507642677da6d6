"""From a network's probabilities to calibrated ones, and from those to a label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS
from edge.quality import Quality


def calibrate(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Softmax probabilities [..., 4] as if the logits had been divided by `temperature` > 0 (Guo et al., 2017).

    That is p ** (1 / temperature), made to add up to 1 again: above 1 less certain, below 1 more, at 1 unchanged. The
    likeliest class stays so. In float64, where two classes that differ in float32 still differ afterwards.
    """
    powers = np.asarray(probabilities, dtype=np.float64) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)


def decide(
    probabilities: NDArray[np.floating], quality: Quality, abnormal_threshold: float | None = None
) -> str | None:
    """The label of calibrated [4]; None where the sound is not fit to be labelled.

    With a threshold: normal where 1 - P(normal) is below it, else the likeliest abnormal class. Without one: the
    likeliest class. Of equal ones the first.
    """
    if not quality.ok:
        return None
    if abnormal_threshold is None:
        return LABELS[int(np.argmax(probabilities))]
    if 1 - probabilities[0] < abnormal_threshold:
        return LABELS[0]
    return LABELS[1 + int(np.argmax(probabilities[1:]))]
