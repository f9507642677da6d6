"""Which cycle is drawn next: classes, and datasets trained jointly, in wanted shares whatever their sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from train.cycles import Cycle


@dataclass(frozen=True)
class Draw:
    """One sample to be made: a cycle and the seed of everything random about it."""

    cycle: int
    seed: tuple[int, int, int]
    """(run seed, epoch, position in the epoch), so that no sample depends on which process makes it."""


def draw_probabilities(
    cycles: Sequence[Cycle], class_shares: Sequence[float], dataset_shares: Mapping[str, float]
) -> NDArray[np.float64]:
    """Probability of each cycle, [n], adding up to 1.

    Each dataset gets its share; within it each class gets its own, shared equally by its cycles. A class that a dataset
    lacks leaves its share to that dataset's others.
    """
    weights = np.zeros(len(cycles))
    labels = np.array([cycle.label for cycle in cycles])
    datasets = np.array([cycle.dataset for cycle in cycles])
    for dataset, dataset_share in dataset_shares.items():
        inside = datasets == dataset
        for label, class_share in enumerate(class_shares):
            chosen = inside & (labels == label)
            weights[chosen] = class_share / max(1, chosen.sum())
        weights[inside] *= dataset_share / weights[inside].sum()
    return np.asarray(weights / weights.sum())


def draw_epoch(probabilities: NDArray[np.float64], count: int, run_seed: int, epoch: int) -> list[Draw]:
    """The draws of one epoch, with replacement; the same for the same seed and epoch."""
    chosen = epoch_generator(run_seed, epoch).choice(probabilities.size, size=count, p=probabilities)
    return [Draw(int(cycle), (run_seed, epoch, position)) for position, cycle in enumerate(chosen)]


def epoch_generator(run_seed: int, epoch: int) -> Generator:
    """The generator that an epoch's order comes from."""
    return np.random.default_rng((run_seed, epoch))
