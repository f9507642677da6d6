"""Bilinear resizing of 8-bit images in OpenCV's fixed-point arithmetic (`resize`, INTER_LINEAR), to the same bytes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]

ONE = 2048
"""Weights are in 1/2048, as in OpenCV (INTER_RESIZE_COEF_BITS = 11)."""


def resize_bilinear(image: UInt8, rows: int, columns: int) -> UInt8:
    """`image`, uint8 [height, width] or [height, width, channels], at `rows` x `columns`; pixel centres are aligned."""
    left, right, weight = _taps(image.shape[1], columns)
    across = (slice(None), slice(None), *[np.newaxis] * (image.ndim - 2))
    wide = image[:, left].astype(np.int32) * (ONE - weight)[across[1:]] + image[:, right] * weight[across[1:]]
    above, below, weight = _taps(image.shape[0], rows)
    down = (slice(None), *[np.newaxis] * (image.ndim - 1))
    # OpenCV drops four bits before and sixteen after the second product, so that both fit 32-bit lanes.
    wide >>= 4
    tall = ((wide[above] * (ONE - weight)[down]) >> 16) + ((wide[below] * weight[down]) >> 16)
    return np.asarray((tall + 2) >> 2, dtype=np.uint8)


@lru_cache(maxsize=256)
def _taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """For each target position the two source positions around it and the second one's weight; beyond the ends both are the end."""
    position = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    before = np.floor(position)
    weight = np.rint((position - before) * ONE).astype(np.int32)
    first = before.astype(np.intp)
    return np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), weight
