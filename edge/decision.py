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


def decide(probabilities: NDArray[np.floating], quality: Quality) -> str | None:
    """The likeliest class of [4], the first of equal ones; None where the sound is not fit to be labelled."""
    return LABELS[int(np.argmax(probabilities))] if quality.ok else None
