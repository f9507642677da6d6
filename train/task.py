"""What is asked of a breathing cycle: its class among four, or whether it is abnormal at all (paper, section 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from edge.labels import LABELS
from train.cycles import Cycle

Task = Literal["four_class", "two_class"]

TASK_LABELS: Final[Mapping[Task, tuple[str, ...]]] = {
    "four_class": LABELS,
    "two_class": ("normal", "abnormal"),
}
"""The classes of each task, in the order of the network's outputs; normal is always the first."""


def task_of(classes: int) -> Task:
    """The task of a network with that many outputs. Raises ValueError for a number that no task has."""
    for task, labels in TASK_LABELS.items():
        if len(labels) == classes:
            return task
    raise ValueError(f"a network with {classes} outputs fits no task; there are 2 (two_class) or 4 (four_class)")


def labels_of(classes: int) -> tuple[str, ...]:
    """The labels of a network with that many outputs. Raises as `task_of`."""
    return TASK_LABELS[task_of(classes)]


def label_for(task: Task, label: int) -> int:
    """A label of the four classes as the task's: for `two_class`, crackle, wheeze and both are all 1, abnormal."""
    return label if task == "four_class" else min(label, 1)


def cycles_for(task: Task, cycles: Sequence[Cycle]) -> list[Cycle]:
    """The cycles with the labels of that task."""
    return [dataclasses.replace(cycle, label=label_for(task, cycle.label)) for cycle in cycles]
