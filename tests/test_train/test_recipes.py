"""Recipes are whole, differ where they say, and travel through JSON."""

import dataclasses
import json

import pytest

from train.config import Config, DatasetConfig, config_from_dict
from train.errors import ConfigError
from train.recipes import RECIPES, compact, compact_half, joint, pretrain_sprsound, recipe_named, respirenet


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_bears_its_name_and_survives_json(name: str) -> None:
    config = recipe_named(name)
    assert config.recipe == name
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_respirenet_is_the_papers_training() -> None:
    config = respirenet()
    assert (config.optimiser.name, config.optimiser.learning_rate, config.optimiser.momentum) == ("sgd", 1e-3, 0.9)
    assert (config.epochs, config.batch_size, config.initialisation) == (200, 64, "imagenet")
    assert config.class_shares == (0.25, 0.25, 0.25, 0.25)
    assert (config.network.depth, config.spec.window_s) == (34, 7.0)
    assert (config.augmentation.padding, config.augmentation.padding_share) == ("smart", 1.0)
    assert config.optimiser.schedule == "fixed"


def differing(first: Config, second: Config) -> set[str]:
    return {
        field.name for field in dataclasses.fields(Config) if getattr(first, field.name) != getattr(second, field.name)
    }


def test_compact_changes_only_the_image_and_half_only_the_network() -> None:
    assert differing(respirenet(), compact()) == {"recipe", "spec", "network"}
    assert differing(compact(), compact_half()) == {"recipe", "network", "initialisation"}


def test_joint_begins_from_pretraining_with_the_same_network_and_features() -> None:
    assert joint().network == pretrain_sprsound().network
    assert joint().spec == pretrain_sprsound().spec
    assert joint().initialisation == "checkpoint"
    assert [dataset.share for dataset in joint().datasets] == [1.0, 1.0]


def test_both_stages_hold_back_the_same_children() -> None:
    (first,) = pretrain_sprsound().datasets
    second = next(dataset for dataset in joint().datasets if dataset.name == "sprsound")
    assert (first.split, first.validation_share) == (second.split, second.validation_share)


def test_an_unknown_recipe_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"unknown recipe 'resnet'; known are respirenet, compact"):
        recipe_named("resnet")


@pytest.mark.parametrize(
    "fields",
    [
        {"class_shares": (1.0, 1.0)},
        {"class_shares": (0.0, 0.0, 0.0, 0.0)},
        {"epochs": 0},
        {"batch_size": 1},
        {"datasets": ()},
        {"datasets": (DatasetConfig(name="icbhi"), DatasetConfig(name="icbhi"))},
        {"spec": respirenet().spec},
    ],
)
def test_an_impossible_configuration_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"class_shares|epochs|datasets|channels"):
        dataclasses.replace(compact(), **fields)  # type: ignore[arg-type]
