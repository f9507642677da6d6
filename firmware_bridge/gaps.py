"""What becomes of sound that never arrived; the one definition, for the link and for every other source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

MAX_BRIDGED_S = 0.010
"""Gaps up to this are closed by a straight line. Our choice: a fine crackle's length, and little beside a wheeze's."""


def bridge(before: float | Float32, after: float | Float32, count: int) -> Float32:
    """float32 [count], or [count, channels], on a straight line between two samples: silence would click, as a crackle
    does.
    """
    return np.linspace(before, after, count + 2, dtype=np.float32)[1:-1]
