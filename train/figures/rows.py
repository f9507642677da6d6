"""Which frequency a row of an image shows: clipping cuts mel rows from the top and stretches the others over the image.

Shapes: H = image rows, W = image columns, M = mel rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.signal.mel import mel_filterbank
from edge.signal.spec import FeatureSpec


@lru_cache(maxsize=8)
def band_centres_hz(spec: FeatureSpec) -> NDArray[np.float64]:
    """Centre of gravity of each mel band, float64 [M], lowest first."""
    bands = mel_filterbank(spec).astype(np.float64)
    bins_hz = np.arange(bands.shape[1]) * spec.sample_rate_hz / spec.n_fft
    return np.asarray(bands @ bins_hz / bands.sum(axis=1))


def on_mel_rows(values_HW: NDArray[np.float32], cut_rows: int, n_mels: int) -> NDArray[np.float32]:
    """What lies over an image from which `cut_rows` of `n_mels` were cut, float32 [M, W], highest frequency first.

    A mel row gets the mean over the image rows that show it; one that was cut off shows nowhere and gets 0.
    """
    return np.asarray(_row_means(len(values_HW), cut_rows, n_mels) @ values_HW)


def image_row_of_hz(frequency_hz: float, cut_rows: int, spec: FeatureSpec) -> float:
    """Where a frequency is shown, from 0, the upper edge of the image, to 1; below 0 where it was cut off."""
    from_below = np.interp(frequency_hz, band_centres_hz(spec), np.arange(spec.n_mels))
    return float((spec.n_mels - 0.5 - from_below - cut_rows) / (spec.n_mels - cut_rows))


@lru_cache(maxsize=256)
def _row_means(rows: int, cut_rows: int, n_mels: int) -> NDArray[np.float32]:
    """float32 [M, H]: the share of each image row in the mean of a mel row."""
    edges = (np.arange(n_mels + 1) - cut_rows) * (rows / (n_mels - cut_rows))
    lower, upper = edges[:-1, np.newaxis], edges[1:, np.newaxis]
    first, last = np.arange(rows), np.arange(rows) + 1
    overlaps = np.minimum(upper, last) - np.maximum(lower, first)
    return np.asarray(np.maximum(overlaps, 0) / (upper - lower), dtype=np.float32)
