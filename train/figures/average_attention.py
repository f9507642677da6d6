"""Attention maps averaged over recordings (paper, section 6.2), in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.signal.spec import FeatureSpec
from train.attention import attention_maps
from train.figures.comparison import SeenWindow, TrainedRun, batches, has_blank_rows, seen_windows
from train.figures.rows import band_centres_hz, on_mel_rows
from train.network import RespireNetwork
from train.recording import Recording

Classes = Literal["predicted", "true"]
"""Whose evidence is shown: of the class that the network says, or of the annotated one."""


@dataclass(frozen=True, eq=False)
class AverageAttention:
    """The mean over cycles; each map reaches from 0 to 1, a longer cycle has the mean over its windows."""

    spec: FeatureSpec
    image: NDArray[np.float64]
    """[image rows, image columns], as the network sees it: what the paper averages."""
    by_mel_row: NDArray[np.float64]
    """[n_mels, image columns], highest frequency first: rows that clipping cut off count as 0."""
    cycles: int
    blank_cycles: int
    """Of these, such with blank rows at the top, which clipping cut off."""
    mean_cut_rows: float
    """Mel rows that clipping cut off, over all cycles."""

    @property
    def lower_half_share(self) -> float:
        """Of all attention in the image, the share in its lower half."""
        return _share(self.image[len(self.image) // 2 :], self.image)

    def share_above(self, frequency_hz: float) -> float:
        """Of all attention, the share on mel rows centred at a frequency or above it."""
        return _share(self.by_mel_row[rows_above(frequency_hz, self.spec)], self.by_mel_row)


def average_attention(run: TrainedRun, recordings: Sequence[Recording], classes: Classes) -> AverageAttention:
    """Over every annotated cycle of the recordings, by a run's best checkpoint."""
    return average_over_windows(
        run.network(), seen_windows(recordings, run.spec, run.checkpoint.task), run.spec, classes
    )


def average_over_windows(
    network: RespireNetwork, windows: Iterable[SeenWindow], spec: FeatureSpec, classes: Classes
) -> AverageAttention:
    """The mean of the windows' maps, each weighed by its share of a cycle. Holds one batch of them at a time."""
    image, by_mel_row = np.zeros(spec.image_shape[1:]), np.zeros((spec.n_mels, spec.image_shape[2]))
    cycles = blank = cut_rows = 0.0
    for batch in batches(windows):
        for window, seen in zip(batch, window_attention(network, batch, classes), strict=True):
            image += window.share * seen
            by_mel_row += window.share * on_mel_rows(seen, window.cut_rows, spec.n_mels)
            cycles += window.share
            blank += window.share * has_blank_rows(window)
            cut_rows += window.share * window.cut_rows
    whole = max(1, round(cycles))
    return AverageAttention(spec, image / whole, by_mel_row / whole, round(cycles), round(blank), cut_rows / whole)


def window_attention(network: RespireNetwork, windows: Sequence[SeenWindow], classes: Classes) -> NDArray[np.float32]:
    """The windows' attention maps, float32 [len(windows), image rows, image columns]."""
    images = np.stack([window.image for window in windows])
    truth = np.array([window.cycle.label for window in windows], dtype=np.int64)
    return attention_maps(network, images, truth if classes == "true" else None)


def rows_above(frequency_hz: float, spec: FeatureSpec) -> slice:
    """Mel rows, highest first, that are centred at a frequency or above it."""
    return slice(0, int(np.count_nonzero(band_centres_hz(spec) >= frequency_hz)))


def class_words(classes: Classes) -> str:
    """Whose evidence a map shows, in words."""
    return "each network's own answer" if classes == "predicted" else "the annotated class"


def _share(part: NDArray[np.floating], whole: NDArray[np.floating]) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total else float("nan")
