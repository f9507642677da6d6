"""Blank region clipping (paper, section 3): rows at the top of the spectrum that hold nothing are cut off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.signal.colour import magma_grey
from edge.signal.spec import FeatureSpec


def clipped_rows(levels: NDArray[np.uint8], spec: FeatureSpec) -> int:
    """How many rows to cut from the top of `levels`, uint8 [rows, frames] with the highest frequency first.

    As the released code does it: the blank rows at the top and the first row after them, but nothing where every row,
    or every row but the last, is blank. A pixel is blank by the grey of its colour; the colour map makes that a
    question of its level alone. A `blank_grey_level` of 0 switches clipping off.
    """
    if spec.blank_grey_level == 0:
        return 0
    dark = (magma_grey() < spec.blank_grey_level).take(levels)
    blank = np.count_nonzero(dark, axis=1) / levels.shape[1] >= spec.blank_share
    sounding = np.flatnonzero(~blank)
    if sounding.size == 0 or sounding[0] + 1 >= levels.shape[0]:
        return 0
    return int(sounding[0]) + 1
