"""Four classes or two: labels, figures and networks follow the task."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from train.cycles import Cycle
from train.evaluate import figures
from train.network import NetworkConfig, RespireNetwork
from train.recipes import compact_half, for_task
from train.task import cycles_for, labels_of, task_of


def test_in_two_classes_every_adventitious_sound_is_abnormal(make_cycle: Callable[..., Cycle]) -> None:
    cycles = [make_cycle(label=label) for label in range(4)]
    assert [cycle.label for cycle in cycles_for("two_class", cycles)] == [0, 1, 1, 1]
    assert [cycle.label for cycle in cycles_for("four_class", cycles)] == [0, 1, 2, 3]


def test_a_network_tells_its_task_by_its_outputs() -> None:
    assert (task_of(2), labels_of(2)) == ("two_class", ("normal", "abnormal"))
    assert labels_of(4) == ("normal", "crackle", "wheeze", "both")
    with pytest.raises(ValueError, match="a network with 3 outputs fits no task"):
        labels_of(3)


def test_a_recipe_for_two_classes_draws_both_equally_and_has_two_outputs() -> None:
    config = for_task(compact_half(), "two_class")
    assert (config.task, config.class_shares, config.network.classes) == ("two_class", (0.5, 0.5), 2)
    small = NetworkConfig(depth=18, width=0.125, in_channels=1, classes=config.network.classes)
    assert RespireNetwork(small)(torch.zeros(2, 1, 64, 219)).shape == (2, 2)


def test_sensitivity_of_two_classes_is_the_share_of_abnormal_cycles_found(make_cycle: Callable[..., Cycle]) -> None:
    cycles = cycles_for("two_class", [make_cycle(label=label) for label in (0, 0, 1, 2, 3, 3)])
    said = np.array([0, 1, 1, 1, 1, 0])
    found = figures(cycles, np.eye(2, dtype=np.float32)[said])
    assert (found["specificity"], found["sensitivity"], found["score"]) == (0.5, 0.75, 0.625)
    assert found["confusion"] == [[1, 1], [1, 3]]
