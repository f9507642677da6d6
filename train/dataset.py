"""Training samples and evaluation windows as images, both through `edge.signal`, the one definition of the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset
from tqdm import tqdm

from edge.signal.image import image_from_window
from edge.signal.spec import FeatureSpec
from edge.signal.windows import windows_from_cycle
from train import augmentation
from train.concatenation import Partners, concatenate
from train.config import AugmentationConfig
from train.cycles import Cycle
from train.disturbances import Disturbances
from train.padding import Filling, fill, neighbours_by_position, smart_pad, smart_pad_for_evaluation
from train.sampling import Draw
from train.vocoder import FrequencyMap, move_frequencies

EvaluationPadding = Literal["repetition", "smart"]

_STATISTICS_WINDOWS = 1000
"""Enough for the mean and deviation of grey levels to settle to a tenth of a level."""


class TrainingWindows(Dataset[tuple[NDArray[np.float32], augmentation.Rectangle, int]]):
    """Augmented windows of cycles, before their features; a sample is a function of its `Draw` alone.

    A sample is the window, float32 [window_samples]; what to paint over in its image, int64 [4] as `augmentation.mask`
    takes it, all 0 for nothing; and the label.
    """

    def __init__(self, cycles: Sequence[Cycle], spec: FeatureSpec, config: AugmentationConfig) -> None:
        self.cycles = cycles
        self.spec = spec
        self._config = config
        self._neighbours = neighbours_by_position(cycles)
        self._partners = Partners(cycles, config.concatenation_pairs)
        self._disturbances = Disturbances(cycles, spec.sample_rate_hz) if config.disturbance_share else None
        self._filling: Filling = "repetition" if config.padding == "smart" else config.padding

    def __getitem__(self, draw: Draw) -> tuple[NDArray[np.float32], augmentation.Rectangle, int]:
        rng = np.random.default_rng(draw.seed)
        cycle = self.cycles[draw.cycle]
        window = self._augmented(self._window(cycle, rng), rng)
        return window, self._mask(rng), cycle.label

    def _window(self, cycle: Cycle, rng: Generator) -> NDArray[np.float32]:
        config, length = self._config, self.spec.window_samples
        # One draw decides, so that the two shares do not depend on each other.
        if rng.random() < config.concatenation:
            joined = concatenate(*self._partners.draw(cycle, rng), config.join_gain_db, rng)
            return fill(joined, self._filling, length, rng)
        if rng.random() >= config.padding_share:
            return fill(cycle.samples, "repetition", length, rng)
        if config.padding == "smart":
            return smart_pad(cycle, self._neighbours, length, rng)
        return fill(cycle.samples, config.padding, length, rng)

    def _augmented(self, window: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
        config = self._config
        if config.speed:
            window = augmentation.change_speed(window, config.speed, rng)
            window = fill(window, self._filling, self.spec.window_samples, rng)
        if moves := self._frequency_moves(rng):
            window = move_frequencies(window, *moves)
        if _drawn(config.loudness_share, rng):
            window = augmentation.change_loudness(window, config.loudness_gain_db, rng)
        if self._disturbances and _drawn(config.disturbance_share, rng):
            window = self._disturbances.mix(window, config.disturbance_db, rng)
        if config.shift:
            window = augmentation.shift(window, rng)
        if config.device_gain_db:
            window = augmentation.colour_response(window, config.device_gain_db, self.spec.sample_rate_hz, rng)
        if rng.random() < config.noise_share:
            window = augmentation.add_noise(window, config.noise_snr_db, rng)
        return window

    def _frequency_moves(self, rng: Generator) -> list[FrequencyMap]:
        config, moves = self._config, []
        if _drawn(config.pitch_share, rng):
            moves.append(augmentation.draw_pitch(config.pitch_semitones, rng))
        if _drawn(config.vtlp_share, rng):
            moves.append(augmentation.draw_vocal_tract(config.vtlp_factor, rng))
        return moves

    def _mask(self, rng: Generator) -> augmentation.Rectangle:
        if rng.random() < self._config.mask_share:
            return augmentation.draw_mask(self.spec.image_shape, self._config.mask_rows, self._config.mask_frames, rng)
        return np.zeros(4, dtype=np.int64)


class TrainingImages(Dataset[tuple[NDArray[np.uint8], int]]):
    """`TrainingWindows` as images, uint8 `spec.image_shape`, and labels."""

    def __init__(self, cycles: Sequence[Cycle], spec: FeatureSpec, config: AugmentationConfig) -> None:
        self.cycles = cycles
        self._windows = TrainingWindows(cycles, spec, config)

    def __getitem__(self, draw: Draw) -> tuple[NDArray[np.uint8], int]:
        window, rectangle, label = self._windows[draw]
        image = image_from_window(window, self._windows.spec)
        return augmentation.mask(image, rectangle) if rectangle.any() else image, label


def _drawn(share: float, rng: Generator) -> bool:
    # No number is drawn for what is off: a new technique leaves the samples of recipes without it as they were.
    return share > 0 and rng.random() < share


@dataclass(frozen=True)
class EvaluationImages:
    """Every window of every cycle, made once and without random numbers."""

    images: NDArray[np.uint8]
    """[n, *spec.image_shape]"""
    cycle_of_image: NDArray[np.int64]
    """[n], position of the image's cycle in `cycles`, never falling."""
    cycles: tuple[Cycle, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The true classes, int [number of cycles]."""
        return np.array([cycle.label for cycle in self.cycles], dtype=np.int64)


def evaluation_images(
    cycles: Sequence[Cycle], spec: FeatureSpec, *, padding: EvaluationPadding = "repetition", progress: bool = False
) -> EvaluationImages:
    """Images as the device would make them: short cycles repeated, long ones cut into overlapping windows.

    `smart` fills short cycles as `smart_pad_for_evaluation` does: it reads labels, so what is measured on them leaks.
    """
    images, owners = [], []
    neighbours = neighbours_by_position(cycles)
    for position, cycle in enumerate(tqdm(cycles, desc="images", unit="cycle", disable=None if progress else True)):
        smart = padding == "smart"
        windows = (
            smart_pad_for_evaluation(cycle, neighbours, spec) if smart else windows_from_cycle(cycle.samples, spec)
        )
        for window in windows:
            images.append(image_from_window(window, spec))
            owners.append(position)
    shape = (0, *spec.image_shape)
    stacked = np.stack(images) if images else np.zeros(shape, dtype=np.uint8)
    return EvaluationImages(stacked, np.array(owners, dtype=np.int64), tuple(cycles))


def grey_level_statistics(
    cycles: Sequence[Cycle], spec: FeatureSpec, rng: Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation per channel, [C] each, of unaugmented images of the training cycles."""
    chosen = rng.permutation(len(cycles))[:_STATISTICS_WINDOWS]
    images = evaluation_images([cycles[position] for position in chosen], spec).images
    mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
    std = images.std(axis=(0, 2, 3), dtype=np.float64)
    return mean.astype(np.float32), np.maximum(std, 1.0).astype(np.float32)
