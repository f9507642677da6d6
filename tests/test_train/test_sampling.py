"""What the weighted sampler draws."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from train.cycles import Cycle
from train.sampling import draw_epoch, draw_probabilities

UNIFORM = (0.25, 0.25, 0.25, 0.25)


def cycles_of(make_cycle: Callable[..., Cycle], counts: list[int], dataset: str) -> list[Cycle]:
    return [make_cycle(label=label, dataset=dataset) for label, count in enumerate(counts) for _ in range(count)]


def share_of(cycles: list[Cycle], probabilities: NDArray[np.floating], **fields: object) -> float:
    chosen = [all(getattr(cycle, name) == value for name, value in fields.items()) for cycle in cycles]
    return float(probabilities[chosen].sum())


def test_classes_are_drawn_alike_however_rare(make_cycle: Callable[..., Cycle]) -> None:
    cycles = cycles_of(make_cycle, [90, 6, 3, 1], "icbhi")
    probabilities = draw_probabilities(cycles, UNIFORM, {"icbhi": 1.0})
    assert [share_of(cycles, probabilities, label=label) for label in range(4)] == pytest.approx([0.25] * 4)
    drawn = [cycles[draw.cycle].label for draw in draw_epoch(probabilities, 4000, run_seed=1, epoch=0)]
    assert np.bincount(drawn) / 4000 == pytest.approx([0.25] * 4, abs=0.03)


def test_wanted_class_shares_are_met(make_cycle: Callable[..., Cycle]) -> None:
    cycles = cycles_of(make_cycle, [10, 10, 10, 10], "icbhi")
    probabilities = draw_probabilities(cycles, (0.4, 0.3, 0.2, 0.1), {"icbhi": 1.0})
    assert [share_of(cycles, probabilities, label=label) for label in range(4)] == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_two_datasets_are_half_and_half_whatever_their_sizes(make_cycle: Callable[..., Cycle]) -> None:
    cycles = cycles_of(make_cycle, [500, 80, 40, 20], "sprsound") + cycles_of(make_cycle, [20, 5, 4, 2], "icbhi")
    probabilities = draw_probabilities(cycles, UNIFORM, {"icbhi": 1.0, "sprsound": 1.0})
    assert share_of(cycles, probabilities, dataset="icbhi") == pytest.approx(0.5)
    assert share_of(cycles, probabilities, dataset="sprsound", label=3) == pytest.approx(0.125)


def test_a_class_that_a_dataset_lacks_leaves_its_share_to_the_others(make_cycle: Callable[..., Cycle]) -> None:
    cycles = cycles_of(make_cycle, [5, 5, 5, 0], "sprsound") + cycles_of(make_cycle, [5, 5, 5, 5], "icbhi")
    probabilities = draw_probabilities(cycles, UNIFORM, {"icbhi": 1.0, "sprsound": 1.0})
    assert share_of(cycles, probabilities, dataset="sprsound") == pytest.approx(0.5)
    assert share_of(cycles, probabilities, dataset="sprsound", label=0) == pytest.approx(0.5 / 3)


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    probabilities = np.full(50, 1 / 50)
    first = draw_epoch(probabilities, 30, run_seed=3, epoch=2)
    assert first == draw_epoch(probabilities, 30, run_seed=3, epoch=2)
    assert first != draw_epoch(probabilities, 30, run_seed=3, epoch=1)
    assert first != draw_epoch(probabilities, 30, run_seed=4, epoch=2)
    assert len({draw.seed for draw in first}) == 30
