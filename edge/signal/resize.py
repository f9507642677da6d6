"""Bilinear resizing of 8-bit images in OpenCV's fixed-point arithmetic (`resize`, INTER_LINEAR), to the same bytes.

OpenCV multiplies a level by a weight in 1/2048 and drops bits of the 32-bit product. Here each weight is split, so that
everything that is multiplied or added fits 16 bits, of which a processor does twice as many at once; dropping bits of
the parts, low part first, drops the same bits as dropping them of the whole.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
UInt16 = NDArray[np.uint16]

ONE = 2048
"""Weights are in 1/2048, as in OpenCV (INTER_RESIZE_COEF_BITS = 11)."""
PIXELS_AT_ONCE = 1 << 15
"""Measured: intermediates of so many pixels stay in cache; those of a whole plane cost more in fresh pages."""


def enlarge(plane: UInt8, factor: int) -> UInt8:
    """`plane`, uint8 [height, width], `factor` times as high and as wide; pixel centres are aligned."""
    height, width = plane.shape
    wide = _wide(plane.astype(np.uint16), factor)
    edged = np.concatenate([wide[:1], wide, wide[-1:]])
    phases = [_phase(phase, factor) for phase in range(factor)]
    wanted = {weight for _, second in phases for weight in (ONE - second, second) if second}
    weighted = {weight: _weighted(edged.astype(np.uint32), weight) for weight in wanted}
    tall = np.empty((height, factor, width * factor), np.uint8)
    for phase, (first, weight) in enumerate(phases):
        above, below = slice(first, first + height), slice(first + 1, first + 1 + height)
        quarters = weighted[ONE - weight][above] + weighted[weight][below] if weight else edged[above] >> np.uint16(5)
        tall[:, phase] = _rounded(quarters)
    return tall.reshape(height * factor, width * factor)


def stretch_rows(plane: UInt8, rows: int) -> UInt8:
    """`plane`, uint8 [height, width], as uint8 [rows, width]; pixel centres are aligned."""
    height, width = plane.shape
    above, below, weight = bilinear_taps(height, rows)
    levels = plane.astype(np.uint16)
    stretched = np.empty((rows, width), np.uint8)
    rows_at_once = max(1, PIXELS_AT_ONCE // width)
    for first in range(0, rows, rows_at_once):
        some = slice(first, first + rows_at_once)
        quarters = _weighted_rows(levels.take(above[some], axis=0), ONE - weight[some])
        quarters += _weighted_rows(levels.take(below[some], axis=0), weight[some])
        stretched[some] = _rounded(quarters)
    return stretched


@lru_cache(maxsize=256)
def bilinear_taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], UInt16]:
    """For each target row the two source rows around it, [target], and the second one's weight in 1/`ONE`, [target, 1];
    beyond the ends both are the end.
    """
    position = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    before = np.floor(position)
    weight = np.rint((position - before) * ONE).astype(np.uint16)
    first = before.astype(np.intp)
    return np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), weight[:, np.newaxis]


def _wide(plane: UInt16, factor: int) -> UInt16:
    """Columns interpolated, in 1/128 of a level: OpenCV drops four of its eleven bits here, to fit 16-bit lanes."""
    height, width = plane.shape
    edged = np.concatenate([plane[:, :1], plane, plane[:, -1:]], axis=1)
    wide = np.empty((height, width, factor), np.uint16)
    for phase in range(factor):
        first, weight = _phase(phase, factor)
        left, right = edged[:, first : first + width], edged[:, first + 1 : first + 1 + width]
        wide[:, :, phase] = _mixed(left, right, weight) if weight else left << np.uint16(7)
    return wide.reshape(height, width * factor)


def _mixed(left: UInt16, right: UInt16, weight: int) -> UInt16:
    """Two levels, the second one with `weight`, in 1/128 of a level."""
    (left_high, left_low), (right_high, right_low) = divmod(ONE - weight, 16), divmod(weight, 16)
    mixed = left * np.uint16(left_low)
    mixed += right * np.uint16(right_low)
    mixed >>= 4
    mixed += left * np.uint16(left_high)
    mixed += right * np.uint16(right_high)
    return mixed


def _weighted(wide: NDArray[np.uint32], weight: int) -> UInt16:
    """`wide` in 1/128 of a level times `weight`, in quarters of a level; overwrites `wide`."""
    wide *= np.uint32(weight)
    wide >>= 16
    return wide.astype(np.uint16)


def _weighted_rows(levels: UInt16, weight: UInt16) -> UInt16:
    """Each row of `levels` times its weight, in quarters of a level; overwrites `levels`."""
    product = levels * (weight >> np.uint16(3))
    levels *= weight & np.uint16(7)
    levels >>= 3
    product += levels
    product >>= 6
    return product


def _rounded(quarters: UInt16) -> UInt16:
    """Quarters of a level, rounded to levels; overwrites its argument."""
    quarters += 2
    quarters >>= 2
    return quarters


def _phase(phase: int, factor: int) -> tuple[int, int]:
    """Where in a plane with one repeated edge the first of two neighbours of an enlarged pixel begins, and the second
    one's weight.
    """
    offset = (phase + 0.5) / factor - 0.5
    before = int(np.floor(offset))
    return before + 1, round((offset - before) * ONE)
