"""Filling what is shorter than a window, without random numbers and without looking at labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def repeat_to_length(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The sound followed by itself as often as needed, cut at `length` samples.

    Parameters: `samples` float32 [n]; silence of `length` samples where n is 0.
    Returns: float32 [length]; the input itself where it is already that long.
    """
    if samples.size == length:
        return samples
    if samples.size == 0:
        return np.zeros(length, dtype=samples.dtype)
    return np.resize(samples, length)
