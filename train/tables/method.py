"""Which of the paper's methods a configuration is, read from what it switches on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from train import paper

WITHOUT_AUGMENTATION: Final = "CNN without augmentation"
"""The 62.2 % of section 3: the base model of table 1 has the standard augmentations already."""

_STANDARD: Final = ("speed", "shift", "noise_share", "pitch_share", "vtlp_share", "loudness_share")
"""The fields of AugmentationConfig that are the standard audio augmentations of section 2.1."""

Config = Mapping[str, Any]
"""The content of `Config.to_dict`."""


def method_of(config: Config) -> str:
    """`CNN`, `CNN+CBA`, `CNN+BRC` or `CNN+CBA+BRC`, the first also without augmentation or with another padding.

    Concatenation-based augmentation (CBA) is on where samples are joined; blank region clipping (BRC), where a grey
    level counts as blank: no pixel is darker than 0.
    """
    augmentation, spec = config["augmentation"], config["spec"]
    name = paper.NETWORK
    name += "+CBA" if augmentation["concatenation"] > 0 else ""
    name += "+BRC" if spec["blank_grey_level"] > 0 else ""
    if name == paper.NETWORK and not any(augmentation.get(field) for field in _STANDARD):
        name = WITHOUT_AUGMENTATION
    padding = augmentation.get("padding", "smart")
    return name if padding == "smart" else f"{name}, {padding} padding"


def is_fine_tuned(config: Config) -> bool:
    """Whether a run is stage 2: from a checkpoint, on one stethoscope."""
    return bool(config["datasets"][0].get("device")) and config["initialisation"] == "checkpoint"


def task_of(config: Config) -> str:
    """`four_class` or `two_class`."""
    return str(config.get("task", "four_class"))
