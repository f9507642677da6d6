"""Bilinear resizing of 8-bit images in OpenCV's fixed-point arithmetic (`resize`, INTER_LINEAR), to the same bytes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Int32 = NDArray[np.int32]

ONE = 2048
"""Weights are in 1/2048, as in OpenCV (INTER_RESIZE_COEF_BITS = 11)."""


def resize_bilinear(planes: UInt8, rows: int, columns: int) -> UInt8:
    """`planes`, uint8 [channels, height, width], as uint8 [channels, rows, columns]; pixel centres are aligned."""
    # One plane at a time: the 32-bit intermediates of all three together leave the processor's cache.
    return np.stack([_tall(_wide(plane, columns), rows) for plane in planes])


def _wide(plane: UInt8, columns: int) -> Int32:
    """Columns interpolated, in 1/128 of a level: OpenCV drops four of its eleven bits here, to fit 16-bit lanes."""
    if plane.shape[1] == columns:
        return plane.astype(np.int32) << 7
    left, right, weight = _taps(plane.shape[1], columns)
    wide = plane.take(left, axis=1) * (ONE - weight)
    wide += plane.take(right, axis=1) * weight
    wide >>= 4
    return wide


def _tall(wide: Int32, rows: int) -> UInt8:
    above, below, weight = _taps(wide.shape[0], rows)
    tall = wide.take(above, axis=0)
    tall *= (ONE - weight)[:, np.newaxis]
    tall >>= 16
    lower = wide.take(below, axis=0)
    lower *= weight[:, np.newaxis]
    lower >>= 16
    tall += lower
    tall += 2
    tall >>= 2
    return tall.astype(np.uint8)


@lru_cache(maxsize=256)
def _taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Int32]:
    """For each target position the two source positions around it and the second one's weight; beyond the ends both are
    the end.
    """
    position = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    before = np.floor(position)
    weight = np.rint((position - before) * ONE).astype(np.int32)
    first = before.astype(np.intp)
    return np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), weight
