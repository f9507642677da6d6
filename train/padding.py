"""Filling a training window: the paper's smart padding, which reads labels and so is for training only.

Evaluation and the device use `edge.signal.padding.repeat_to_length`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.signal.padding import repeat_to_length
from train.cycles import Cycle
from train.metrics import NORMAL

Neighbours = Mapping[tuple[str, str, int], Cycle]
"""Cycles by (dataset, recording, index)."""


def neighbours_by_position(cycles: Sequence[Cycle]) -> Neighbours:
    """The look-up that smart padding walks along."""
    return {(cycle.dataset, cycle.recording, cycle.index): cycle for cycle in cycles}


def smart_pad(cycle: Cycle, neighbours: Neighbours, length: int, rng: Generator) -> NDArray[np.float32]:
    """A window of `length` samples around one cycle, filled as in the paper (section 2, "Smart Padding").

    The cycles just before and just after, in the same recording, are joined on where their class is the same or
    normal; where one is not, or is missing, the cycle itself is copied in its place, and so on outwards, the sides
    taking turns from a random one. What is joined is cut so that the cycle stays whole; a cycle longer than the window
    is cut at a random place.
    """
    if cycle.samples.size >= length:
        return random_crop(cycle.samples, length, rng)
    pieces, start_of_cycle, total = deque([cycle.samples]), 0, cycle.samples.size
    before, distance = bool(rng.integers(2)), {True: 0, False: 0}
    while total < length:
        distance[before] += 1
        offset = -distance[before] if before else distance[before]
        piece = _admissible(cycle, neighbours, offset)
        if before:
            pieces.appendleft(piece)
            start_of_cycle += piece.size
        else:
            pieces.append(piece)
        total, before = total + piece.size, not before
    return _crop_around(np.concatenate(pieces), start_of_cycle, cycle.samples.size, length, rng)


def repeat_pad(samples: NDArray[np.float32], length: int, rng: Generator) -> NDArray[np.float32]:
    """Repetition, as on the device; a longer sound is cut at a random place."""
    return random_crop(samples, length, rng) if samples.size > length else repeat_to_length(samples, length)


def random_crop(samples: NDArray[np.float32], length: int, rng: Generator) -> NDArray[np.float32]:
    """`length` consecutive samples from anywhere in a sound at least that long."""
    start = int(rng.integers(samples.size - length + 1))
    return samples[start : start + length]


def _admissible(cycle: Cycle, neighbours: Neighbours, offset: int) -> NDArray[np.float32]:
    neighbour = neighbours.get((cycle.dataset, cycle.recording, cycle.index + offset))
    if neighbour is not None and neighbour.label in (cycle.label, NORMAL):
        return neighbour.samples
    return cycle.samples


def _crop_around(
    samples: NDArray[np.float32], start_of_cycle: int, cycle_length: int, length: int, rng: Generator
) -> NDArray[np.float32]:
    earliest = max(0, start_of_cycle + cycle_length - length)
    latest = min(start_of_cycle, samples.size - length)
    start = int(rng.integers(earliest, latest + 1))
    return samples[start : start + length]
