"""Filling a training window: the paper's smart padding and what it is compared with (section 2, "Smart Padding").

Smart padding reads labels, which a device does not have: evaluation and the device use
`edge.signal.padding.repeat_to_length`, and only the published protocol pads test cycles smartly, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.signal.padding import repeat_to_length
from edge.signal.spec import FeatureSpec
from edge.signal.windows import windows_from_cycle
from train.cycles import Cycle
from train.metrics import NORMAL

Filling = Literal["zero", "reflection", "repetition"]
Padding = Literal["smart", "zero", "reflection", "repetition"]

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
    joined, start_of_cycle = _joined(cycle, neighbours, length, before=bool(rng.integers(2)))
    earliest, latest = _starts(joined.size, start_of_cycle, cycle.samples.size, length)
    start = int(rng.integers(earliest, latest + 1))
    return joined[start : start + length]


def smart_pad_for_evaluation(cycle: Cycle, neighbours: Neighbours, spec: FeatureSpec) -> NDArray[np.float32]:
    """Windows, float32 [k, window_samples], of a test cycle padded smartly: this reads its label, so the figures leak.

    For the published protocol alone, so that the share of its figures that comes from the leak can be measured. No
    random numbers: the cycle before is joined on first, and what is joined is cut alike on both sides. A cycle longer
    than the window is cut as `windows_from_cycle` does.
    """
    length = spec.window_samples
    if cycle.samples.size >= length:
        return windows_from_cycle(cycle.samples, spec)
    joined, start_of_cycle = _joined(cycle, neighbours, length, before=True)
    start = sum(_starts(joined.size, start_of_cycle, cycle.samples.size, length)) // 2
    return joined[np.newaxis, start : start + length]


def fill(samples: NDArray[np.float32], kind: Filling, length: int, rng: Generator) -> NDArray[np.float32]:
    """A sound brought to `length` samples, from its first one on; a longer one is cut at a random place.

    `zero`: silence follows; `reflection`: the sound backwards, forwards, and so on; `repetition`: as on the device.
    Float32 [n], n > 0, to float32 [length].
    """
    if samples.size > length:
        return random_crop(samples, length, rng)
    if kind == "repetition":
        return repeat_to_length(samples, length)
    missing = (0, length - samples.size)
    return np.pad(samples, missing) if kind == "zero" else np.pad(samples, missing, mode="reflect")


def random_crop(samples: NDArray[np.float32], length: int, rng: Generator) -> NDArray[np.float32]:
    """`length` consecutive samples from anywhere in a sound at least that long."""
    start = int(rng.integers(samples.size - length + 1))
    return samples[start : start + length]


def _joined(cycle: Cycle, neighbours: Neighbours, length: int, *, before: bool) -> tuple[NDArray[np.float32], int]:
    """At least `length` samples of the cycle and what is joined on, and where the cycle starts; `before` goes first."""
    pieces, start_of_cycle, total = deque([cycle.samples]), 0, cycle.samples.size
    distance = {True: 0, False: 0}
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
    return np.concatenate(pieces), start_of_cycle


def _admissible(cycle: Cycle, neighbours: Neighbours, offset: int) -> NDArray[np.float32]:
    neighbour = neighbours.get((cycle.dataset, cycle.recording, cycle.index + offset))
    if neighbour is not None and neighbour.label in (cycle.label, NORMAL):
        return neighbour.samples
    return cycle.samples


def _starts(joined: int, start_of_cycle: int, cycle_length: int, length: int) -> tuple[int, int]:
    """The first and the last start of a window that holds the whole cycle."""
    return max(0, start_of_cycle + cycle_length - length), min(start_of_cycle, joined - length)
