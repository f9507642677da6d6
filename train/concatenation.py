"""Concatenation-based augmentation: two cycles joined as a new sample of one class (paper, section 2.1, figure 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from train.cycles import Cycle

Pairs = Literal["same_class", "released"]
"""`same_class` is the paper's rule, `released` the mixed pairs of the authors' code, which the paper leaves out."""

RELEASED_PAIRS: Final[Mapping[int, tuple[tuple[float, int, int], ...]]] = {
    0: ((1.0, 0, 0),),
    1: ((0.6, 1, 1), (0.2, 1, 0), (0.2, 0, 1)),
    2: ((0.6, 2, 2), (0.2, 2, 0), (0.2, 0, 2)),
    3: ((0.5, 3, 3), (0.2, 1, 2), (0.1, 2, 1), (0.1, 3, 0), (0.1, 0, 3)),
}
"""Label: (share, class of the first cycle, of the second), from `new_augment` of microsoft/RespireNet's
image_dataloader.py. With two classes, label 1 is abnormal, and the first two rows hold as they stand."""


class Partners:
    """Pairs of training cycles to be joined; both come from one dataset, from any of its patients."""

    def __init__(self, cycles: Sequence[Cycle], pairs: Pairs) -> None:
        self._cycles = cycles
        self._pairs = pairs
        members: dict[tuple[str, int], list[int]] = defaultdict(list)
        for position, cycle in enumerate(cycles):
            members[cycle.dataset, cycle.label].append(position)
        self._members = {key: np.array(positions) for key, positions in members.items()}

    def draw(self, cycle: Cycle, rng: Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The samples of the first and of the second; the pair's class is that of `cycle`.

        `cycle`, one of the training cycles, stands wherever the pair has its class, once; a pair of other classes
        (crackle and wheeze for both) is drawn without it.
        """
        classes = (cycle.label, cycle.label) if self._pairs == "same_class" else self._released_classes(cycle, rng)
        own = classes.index(cycle.label) if cycle.label in classes else None
        first, second = (
            cycle.samples if side == own else self._any(cycle.dataset, label, rng) for side, label in enumerate(classes)
        )
        return first, second

    def _any(self, dataset: str, label: int, rng: Generator) -> NDArray[np.float32]:
        return self._cycles[int(rng.choice(self._members[dataset, label]))].samples

    def _released_classes(self, cycle: Cycle, rng: Generator) -> tuple[int, int]:
        # Pairs with a class that the dataset lacks leave their share to the others; two of its own are always there.
        possible = [
            pair for pair in RELEASED_PAIRS[cycle.label] if all((cycle.dataset, k) in self._members for k in pair[1:])
        ]
        shares = np.array([share for share, _, _ in possible])
        _, first, second = possible[rng.choice(len(possible), p=shares / shares.sum())]
        return first, second


def concatenate(
    first: NDArray[np.float32], second: NDArray[np.float32], gain_db: float, rng: Generator
) -> NDArray[np.float32]:
    """Two sounds as one, the second louder or softer by up to `gain_db`."""
    gain = 10 ** (rng.uniform(-gain_db, gain_db) / 20)
    return np.concatenate([first, second * np.float32(gain)])
