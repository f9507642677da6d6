"""Single fields of a recipe replaced on the command line: `--set augmentation.padding=zero --set spec.window_s=4`."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from train.config import Config, config_from_dict
from train.errors import ConfigError


def overridden(config: Config, settings: Sequence[str]) -> Config:
    """The configuration with each `FIELD=VALUE` of `settings` replaced; a dataset is named: `datasets.icbhi.device=…`.

    Values are JSON (`0.5`, `true`, `[10, 40]`) or else text. Raises ConfigError: unknown fields, impossible values.
    """
    tree = json.loads(json.dumps(config.to_dict()))
    tree["datasets"] = {each["name"]: each for each in tree["datasets"]}
    for setting in settings:
        tree = _replaced(tree, setting)
    tree["datasets"] = list(tree["datasets"].values())
    try:
        return config_from_dict(tree)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"--set {' --set '.join(settings)}: {error}") from None


def _replaced(tree: Mapping[str, Any], setting: str) -> dict[str, Any]:
    path, equals, text = setting.partition("=")
    if not equals:
        raise ConfigError(f"--set {setting}: give FIELD=VALUE, such as augmentation.padding=zero")
    changed = copy.deepcopy(dict(tree))
    *parents, last = path.split(".")
    branch: Any = changed
    for name in parents:
        branch = _child(branch, name, setting)
    before = _child(branch, last, setting)
    branch[last] = _value(text, before, setting)
    return changed


def _child(branch: Any, name: str, setting: str) -> Any:
    if not isinstance(branch, dict) or name not in branch:
        known = ", ".join(branch) if isinstance(branch, dict) else "nothing further"
        raise ConfigError(f"--set {setting}: no field {name!r}; there is {known}")
    return branch[name]


def _value(text: str, before: Any, setting: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(before, dict) or not _same_kind(value, before):
        raise ConfigError(f"--set {setting}: it is {json.dumps(before)} now, and {text!r} is of another kind")
    return value


def _same_kind(value: Any, before: Any) -> bool:
    if isinstance(before, bool) or isinstance(value, bool):
        return type(value) is type(before)
    return type(value) is type(before) or (isinstance(before, float) and isinstance(value, int))
