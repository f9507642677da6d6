"""From probabilities to a label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS
from edge.quality import Quality


def decide(probabilities: NDArray[np.float32], quality: Quality) -> str | None:
    """The likeliest class of float32 [4], the first of equal ones; None where the sound is not fit to be labelled."""
    return LABELS[int(np.argmax(probabilities))] if quality.ok else None
