"""The magma colour map (matplotlib, CC0) that the authors paint their levels with, and how dark each colour is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]

TABLE = Path(__file__).parent / "tables" / "magma.npy"
"""Made by `tools/make_colour_table.py`."""

GREY_WEIGHTS = (9798, 19235, 3735)
"""Red, green, blue in 1/32768: ITU-R BT.601 luma as OpenCV's `cvtColor` rounds it."""


@lru_cache(maxsize=1)
def magma() -> UInt8:
    """Red, green and blue of each of the 256 levels, uint8 [256, 3]."""
    return np.asarray(np.load(TABLE, allow_pickle=False))


@lru_cache(maxsize=1)
def magma_grey() -> UInt8:
    """Grey value of each level's colour, uint8 [256]."""
    weighted = magma().astype(np.int64) @ np.array(GREY_WEIGHTS)
    return np.asarray((weighted + (1 << 14)) >> 15, dtype=np.uint8)
