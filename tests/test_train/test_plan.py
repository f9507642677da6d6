"""The runs of each table differ in what the paper varies, and in nothing else."""

import dataclasses
from typing import Any

import pytest

from train.config import Config
from train.plan import METHODS, PLANS, WINDOWS_S, table_6
from train.recipes import respirenet


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def differing(first: Config, second: Config) -> set[str]:
    one, other = flat(first.to_dict()), flat(second.to_dict())
    return {key for key in one if one[key] != other[key]}


@pytest.mark.parametrize("name", PLANS)
def test_no_two_runs_share_a_folder_or_a_configuration(name: str) -> None:
    runs = PLANS[name](respirenet(), range(3))
    assert len({run.path for run in runs}) == len(runs)
    assert len({str(run.config.to_dict()) for run in runs}) == len(runs)
    assert {run.config.seed for run in runs} == {0, 1, 2}


def test_table_1_has_both_splits_and_tasks_and_fine_tunes_the_full_method() -> None:
    runs = PLANS["table-1"](respirenet(), [0])
    assert [(run.config.datasets[0].split, run.config.task, run.two_stages) for run in runs] == [
        ("official", "four_class", False),
        ("official", "four_class", True),
        ("fold-4", "four_class", False),
        ("fold-4", "four_class", True),
        ("fold-4", "two_class", False),
        ("fold-4", "two_class", True),
    ]


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("cnn", {"augmentation.concatenation", "spec.blank_grey_level"}),
        ("brc", {"augmentation.concatenation"}),
        ("cba", {"spec.blank_grey_level"}),
        ("cba_brc", set()),
        ("zero_padding", {"augmentation.concatenation", "spec.blank_grey_level", "augmentation.padding"}),
        ("reflection_padding", {"augmentation.concatenation", "spec.blank_grey_level", "augmentation.padding"}),
    ],
)
def test_a_method_changes_only_what_it_is_named_for(method: str, fields: set[str]) -> None:
    assert differing(METHODS[method](respirenet()), respirenet()) == fields


def test_the_plain_method_pads_as_the_paper_and_augments_nothing() -> None:
    augmentation = METHODS["plain"](respirenet()).augmentation
    assert augmentation.padding == "smart"
    assert augmentation == dataclasses.replace(type(augmentation)(), padding="smart")


def test_table_2_is_the_base_model_at_each_length_and_shares_its_7_s_with_table_1() -> None:
    runs = PLANS["table-2"](respirenet(), [0])
    assert [run.config.spec.window_s for run in runs] == list(WINDOWS_S)
    base = {run.path: run.config for run in PLANS["table-1"](respirenet(), [0])}
    shared = [run for run in runs if run.path in base]
    assert [run.config for run in shared] == [base["fold-4-four_class/cnn/seed-0"]]


def test_table_6_trains_on_one_device() -> None:
    (run,) = table_6(respirenet(), [0], "Meditron")
    assert run.config.datasets[0].device == "Meditron"
    assert differing(run.config, respirenet()) == {"datasets"}


def test_the_folds_plan_covers_all_five() -> None:
    runs = PLANS["folds"](respirenet(), [0])
    assert [run.config.datasets[0].split for run in runs] == [f"fold-{fold}" for fold in range(5)]
