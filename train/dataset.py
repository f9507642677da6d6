"""Training samples and evaluation windows as images, both through `edge.signal`, the one definition of the features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset
from tqdm import tqdm

from edge.signal.image import image_from_window
from edge.signal.spec import FeatureSpec
from edge.signal.windows import windows_from_cycle
from train import augmentation, padding
from train.config import AugmentationConfig
from train.cycles import Cycle
from train.sampling import Draw

_STATISTICS_WINDOWS = 1000
"""Enough for the mean and deviation of grey levels to settle to a tenth of a level."""


class TrainingImages(Dataset[tuple[NDArray[np.uint8], int]]):
    """Augmented images of cycles; a sample is a function of its `Draw` alone."""

    def __init__(self, cycles: Sequence[Cycle], spec: FeatureSpec, config: AugmentationConfig) -> None:
        self.cycles = cycles
        self._spec = spec
        self._config = config
        self._neighbours = padding.neighbours_by_position(cycles)
        self._same_class: dict[tuple[str, int], list[int]] = defaultdict(list)
        for position, cycle in enumerate(cycles):
            self._same_class[cycle.dataset, cycle.label].append(position)

    def __getitem__(self, draw: Draw) -> tuple[NDArray[np.uint8], int]:
        rng = np.random.default_rng(draw.seed)
        cycle = self.cycles[draw.cycle]
        image = image_from_window(self._augmented(self._window(cycle, rng), rng), self._spec)
        if rng.random() < self._config.mask_share:
            image = augmentation.mask(image, self._config.mask_rows, self._config.mask_frames, rng)
        return image, cycle.label

    def _window(self, cycle: Cycle, rng: Generator) -> NDArray[np.float32]:
        # One draw decides, so that the two shares do not depend on each other.
        if rng.random() < self._config.concatenation:
            partner = self.cycles[rng.choice(self._same_class[cycle.dataset, cycle.label])]
            joined = augmentation.concatenate(cycle.samples, partner.samples, self._config.join_gain_db, rng)
            return padding.repeat_pad(joined, self._spec.window_samples, rng)
        if rng.random() < self._config.smart_padding:
            return padding.smart_pad(cycle, self._neighbours, self._spec.window_samples, rng)
        return padding.repeat_pad(cycle.samples, self._spec.window_samples, rng)

    def _augmented(self, window: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
        config = self._config
        if config.speed:
            window = augmentation.change_speed(window, config.speed, rng)
            window = padding.repeat_pad(window, self._spec.window_samples, rng)
        if config.shift:
            window = augmentation.shift(window, rng)
        if config.device_gain_db:
            window = augmentation.colour_response(window, config.device_gain_db, self._spec.sample_rate_hz, rng)
        if rng.random() < config.noise_share:
            window = augmentation.add_noise(window, config.noise_snr_db, rng)
        return window


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


def evaluation_images(cycles: Sequence[Cycle], spec: FeatureSpec, *, progress: bool = False) -> EvaluationImages:
    """Images as the device would make them: short cycles repeated, long ones cut into overlapping windows."""
    images, owners = [], []
    for position, cycle in enumerate(tqdm(cycles, desc="images", unit="cycle", disable=not progress)):
        for window in windows_from_cycle(cycle.samples, spec):
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
