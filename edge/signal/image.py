"""A window of conditioned sound as the 8-bit image that the network sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.signal.clipping import clipped_rows
from edge.signal.colour import magma
from edge.signal.log_mel import log_mel_image
from edge.signal.mel import mel_levels_db
from edge.signal.resize import enlarge, stretch_rows
from edge.signal.spec import FeatureSpec

UInt8 = NDArray[np.uint8]


def image_from_window(window: NDArray[np.float32], spec: FeatureSpec) -> UInt8:
    """The feature image of one window.

    Parameters: `window` float [window_samples]. Returns: uint8 `spec.image_shape`, highest frequency in the first row
    but for the layout `log_mel`, which begins with the lowest. Silence is all zero.
    Raises ValueError for another length.
    """
    if window.shape != (spec.window_samples,):
        raise ValueError(f"window has shape {window.shape}; spec {spec.name!r} takes ({spec.window_samples},)")
    if spec.layout == "log_mel":
        return log_mel_image(window, spec)
    levels = levels_from_window(window, spec)
    if spec.layout == "colour":
        return colour_image_from_levels(levels, spec)
    return level_image_from_levels(levels, spec)


def levels_from_window(window: NDArray[np.float32], spec: FeatureSpec) -> UInt8:
    """Mel levels stretched to 0..255 over this window, uint8 [n_mels, frames], lowest band first."""
    levels_db = mel_levels_db(window, spec)
    floor = levels_db.min()
    span = levels_db.max() - floor
    if not span > 0:
        return np.zeros(levels_db.shape, np.uint8)
    return np.asarray((levels_db - floor) / span * 255, dtype=np.uint8)


def level_image_from_levels(levels: UInt8, spec: FeatureSpec) -> UInt8:
    """One channel, uint8 [1, n_mels, frames]: flipped, blank rows cut, brought back to `n_mels` rows."""
    upright = levels[::-1]
    kept = upright[clipped_rows(upright, spec) :]
    return stretch_rows(kept, len(levels))[np.newaxis]


def colour_image_from_levels(levels: UInt8, spec: FeatureSpec) -> UInt8:
    """The authors' picture, uint8 [3, rows, columns] in the order red, green, blue."""
    upright = levels[::-1]
    cut_rows = clipped_rows(upright, spec) * spec.enlargement
    # One colour at a time: all three together leave the processor's cache.
    enlarged = (enlarge(colour.take(upright), spec.enlargement) for colour in magma().T)
    return np.stack([stretch_rows(plane[cut_rows:], len(plane)) for plane in enlarged])
