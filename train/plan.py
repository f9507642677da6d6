"""Which runs a table or figure of the paper is made from; all of one recipe, told apart by what the paper varies.

Methods are named as in table 1: `cnn` is the base model (standard augmentation and smart padding), `cba` adds
concatenation-based augmentation, `brc` blank region clipping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from train.config import AugmentationConfig, Config
from train.padding import Padding
from train.recipes import for_task
from train.task import Task

OFFICIAL, RELEASED = "official", "fold-4"
"""The paper's 60/40 and 80/20 divisions."""

WINDOWS_S: Final = tuple(range(1, 10))
"""Paper, table 2."""


@dataclass(frozen=True)
class PlannedRun:
    """One training, or a pair of stages."""

    path: str
    """Of the run folder, below the folder that all runs go to."""
    config: Config
    two_stages: bool = False
    """Whether stage 2 follows for each stethoscope, in folders beside `common`."""


def base_model(recipe: Config) -> Config:
    """`CNN` of table 1: neither concatenation nor clipping; no pixel is darker than grey level 0."""
    return clipped(replace(recipe, augmentation=replace(recipe.augmentation, concatenation=0.0)), 0)


def clipped(config: Config, blank_grey_level: int) -> Config:
    """The configuration with blank region clipping at that grey level; 0: none."""
    return replace(config, spec=replace(config.spec, blank_grey_level=blank_grey_level))


def padded(config: Config, padding: Padding) -> Config:
    """The configuration with another padding of training windows."""
    return replace(config, augmentation=replace(config.augmentation, padding=padding, padding_share=1.0))


METHODS: Final[Mapping[str, Callable[[Config], Config]]] = {
    "plain": lambda recipe: replace(base_model(recipe), augmentation=AugmentationConfig()),
    "cnn": base_model,
    "brc": lambda recipe: clipped(base_model(recipe), recipe.spec.blank_grey_level),
    "cba": lambda recipe: clipped(recipe, 0),
    "cba_brc": lambda recipe: recipe,
    "zero_padding": lambda recipe: padded(base_model(recipe), "zero"),
    "reflection_padding": lambda recipe: padded(base_model(recipe), "reflection"),
    "repetition_padding": lambda recipe: padded(base_model(recipe), "repetition"),
}


def planned(
    recipe: Config,
    seeds: Sequence[int],
    split: str,
    method: str,
    task: Task = "four_class",
    *,
    two_stages: bool = False,
) -> list[PlannedRun]:
    """One method on one split, once per seed."""
    config = on_split(for_task(METHODS[method](recipe), task), split)
    return [
        PlannedRun(f"{split}-{task}/{method}/seed-{seed}", replace(config, seed=seed), two_stages) for seed in seeds
    ]


def on_split(config: Config, split: str) -> Config:
    """The configuration with another split of its first dataset."""
    first, *others = config.datasets
    return replace(config, datasets=(replace(first, split=split), *others))


def table_1(recipe: Config, seeds: Sequence[int]) -> list[PlannedRun]:
    """Both splits, both tasks; CNN, +CBA+BRC, +FT."""
    blocks: tuple[tuple[str, Task], ...] = ((OFFICIAL, "four_class"), (RELEASED, "four_class"), (RELEASED, "two_class"))
    runs = []
    for split, task in blocks:
        runs += planned(recipe, seeds, split, "cnn", task)
        runs += planned(recipe, seeds, split, "cba_brc", task, two_stages=True)
    return runs


def table_2(recipe: Config, seeds: Sequence[int]) -> list[PlannedRun]:
    """The base model with windows of 1 to 9 s."""
    runs = []
    for window_s in WINDOWS_S:
        config = replace(recipe, spec=replace(recipe.spec, window_s=float(window_s)))
        for run in planned(config, seeds, RELEASED, "cnn"):
            # The recipe's own length is the base model of table 1.
            same = window_s == recipe.spec.window_s
            runs.append(run if same else replace(run, path=run.path.replace("/cnn/", f"/cnn-{window_s}s/")))
    return runs


def fine_tuned(recipe: Config, seeds: Sequence[int]) -> list[PlannedRun]:
    """Both stages on the 80/20 split: table 3 and figure 6."""
    return planned(recipe, seeds, RELEASED, "cba_brc", two_stages=True)


def table_6(recipe: Config, seeds: Sequence[int], device: str = "AKGC417L") -> list[PlannedRun]:
    """Trained on one device, tested on all."""
    first, *others = recipe.datasets
    config = replace(recipe, datasets=(replace(first, device=device), *others))
    runs = planned(config, seeds, RELEASED, "cba_brc")
    return [replace(run, path=run.path.replace("/cba_brc/", f"/only-{device}/")) for run in runs]


def clipping(recipe: Config, seeds: Sequence[int]) -> list[PlannedRun]:
    """Without and with blank region clipping: figures 3 and 5."""
    return planned(recipe, seeds, RELEASED, "cnn") + planned(recipe, seeds, RELEASED, "brc")


def ablation(recipe: Config, seeds: Sequence[int]) -> list[PlannedRun]:
    """The techniques one by one, and the paddings (paper, section 3)."""
    return [run for method in METHODS for run in planned(recipe, seeds, RELEASED, method)]


def folds(recipe: Config, seeds: Sequence[int]) -> list[PlannedRun]:
    """Both stages on each of the five released folds, which are very uneven."""
    return [run for fold in range(5) for run in planned(recipe, seeds, f"fold-{fold}", "cba_brc", two_stages=True)]


PLANS: Final[Mapping[str, Callable[[Config, Sequence[int]], list[PlannedRun]]]] = {
    "table-1": table_1,
    "table-2": table_2,
    "table-3": fine_tuned,
    "table-6": table_6,
    "figure-3": clipping,
    "figure-5": clipping,
    "figure-6": fine_tuned,
    "ablation": ablation,
    "folds": folds,
}
