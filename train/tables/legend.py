"""Which recipe each row of a table came from: a letter in the row, and a line below that says what it stands for."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from typing import Any

from train.tables.group import Group
from train.tables.run_results import RunFolder


def legend(groups: Sequence[Group]) -> dict[str, str]:
    """Letters by setting, in the order of the groups: all that the columns of a table do not say."""
    settings = dict.fromkeys(setting(group, groups) for group in groups)
    return dict(zip(settings, _letters(len(settings)), strict=True))


def legend_notes(letters: Mapping[str, str]) -> list[str]:
    """The lines below a table."""
    return [f"{letter}: {words}" for words, letter in letters.items()]


def setting(group: Group, beside: Sequence[Group]) -> str:
    """What a group's rows came from, with every field that tells it apart from others that read alike."""
    words = _described(group)
    alike = [other for other in beside if _row(other) == _row(group) and _described(other) == words]
    fields = [_flat(_configuration(other)) for other in alike]
    own = _flat(_configuration(group))
    telling = sorted(name for name in own if any(other.get(name) != own[name] for other in fields))
    tested = group.first.test.get("coverage")
    return "; ".join([words, *(f"{name}={own[name]}" for name in telling), *([tested] if tested else [])])


def described(run: RunFolder) -> str:
    """Recipe, network, features and training in one line."""
    network, optimiser = run.config["network"], run.config["optimiser"]
    pretrained = "from ImageNet weights" if run.config["initialisation"] == "imagenet" else "from scratch"
    begun = f"from {run.init}" if run.init else pretrained
    datasets = " and ".join(dataset["name"] for dataset in run.config["datasets"])
    return (
        f"{run.config['recipe']} (ResNet-{network['depth']}, width {network.get('width', 1):g}, "
        f"{run.config['spec']['name']} features, {begun}; {datasets}, {run.config['epochs']} epochs, "
        f"{optimiser['name']} at {optimiser['learning_rate']:g})"
    )


def _described(group: Group) -> str:
    measured = group.first
    if not measured.stage_2:
        return described(measured.stage_1)
    run = next(iter(measured.stage_2.values()))
    others = sorted(set(measured.confusions()) - set(measured.stage_2))
    return (
        f"{described(measured.stage_1)}, then {', '.join(sorted(measured.stage_2))} each for itself "
        f"({run.config['epochs']} epochs at {run.config['optimiser']['learning_rate']:g})"
        f"{', the common model for ' + ', '.join(others) if others else ''}"
    )


def _row(group: Group) -> tuple[Any, ...]:
    """What the columns of the tables say of a group, beside how much of the data it was tested on."""
    return group.method, group.place, group.protocol, group.window_s


def _configuration(group: Group) -> dict[str, Any]:
    second = {device: run.config for device, run in group.first.stage_2.items()}
    return {**group.first.stage_1.config, "seed": None, "init": group.first.stage_1.init, "stage 2": second}


def _flat(tree: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(tree, Mapping):
        return {prefix: json.dumps(tree)}
    return {name: value for key in tree for name, value in _flat(tree[key], f"{prefix}.{key}".strip(".")).items()}


def _letters(count: int) -> list[str]:
    """A to Z, then A1 to Z1 and so on."""
    alphabet = string.ascii_uppercase
    return [
        alphabet[at % len(alphabet)] + (str(at // len(alphabet)) if at >= len(alphabet) else "") for at in range(count)
    ]
