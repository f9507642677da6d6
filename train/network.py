"""Networks from images to their answers, with input normalisation inside: the paper's ResNet, or a MobileNetV3.

Shapes: B = batch, C = image channels, H = mel rows, W = frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from edge.labels import LABELS
from train.mobilenet import MobileNetTrunk
from train.resnet import DEPTHS, ResNetTrunk
from train.signs import SIGNS, probabilities_from_signs

Backbone = Literal["resnet", "mn04"]
Answers = Literal["classes", "signs"]

_HEAD_UNITS = 128


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What the network looks like; the defaults are the paper's."""

    backbone: Backbone = "resnet"
    """`mn04`: MobileNetV3 at 0.4 of its width with EfficientAT's head (Schmid et al., 2023)."""
    depth: int = 34
    """18 or 34 layers (He et al., 2016); of ResNet alone."""
    width: float = 1.0
    """Share of the original number of feature maps: 1.0 starts at 64; of ResNet alone."""
    in_channels: int = 3
    dropout: float = 0.5
    """Before each of the two 128-unit layers, as in the authors' released head; before `mn04`'s last layer."""
    centre_rows: bool = False
    """Whether each mel row's mean over the window is taken away first: in decibels that cancels the steady part of any
    frequency response, a stethoscope's own included (after Nguyen and Pernkopf's spectrum correction, 2022)."""
    classes: int = len(LABELS)
    """4, or 2 for normal against abnormal (`train.task`)."""
    answers: Answers = "classes"
    """`classes`: one softmax, as in the paper. `signs`: three yes-or-no answers, from which the four classes follow
    (`train.signs`)."""

    def __post_init__(self) -> None:
        if self.backbone not in get_args(Backbone) or self.answers not in get_args(Answers):
            raise ValueError(
                f"backbone {self.backbone!r} must be one of {', '.join(get_args(Backbone))}, answers {self.answers!r} "
                f"one of {', '.join(get_args(Answers))}"
            )
        if self.depth not in DEPTHS:
            raise ValueError(f"depth is {self.depth}; known are {sorted(DEPTHS)}")
        if self.classes not in (2, len(LABELS)):
            raise ValueError(f"classes is {self.classes}; there are tasks with 2 and with {len(LABELS)}")
        if self.answers == "signs" and self.classes != len(LABELS):
            raise ValueError(f"answers 'signs' stand for {len(LABELS)} classes, not {self.classes}")
        if not 0 < self.width <= 4 or not 0 <= self.dropout < 1:
            raise ValueError(f"width {self.width} must be in (0, 4] and dropout {self.dropout} in [0, 1)")


class RespireNetwork(nn.Module):
    """Images in grey levels, uint8 or float [B, C, H, W], to its answers' logits.

    [B, classes] in the order of the task's labels, or [B, 3] in that of `train.signs.SIGNS`; `probabilities_from` makes
    either the classes' probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, config.in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, config.in_channels, 1, 1))
        self.centre_rows = config.centre_rows
        self.answers = config.answers
        outputs = len(SIGNS) if config.answers == "signs" else config.classes
        self.trunk: ResNetTrunk | MobileNetTrunk
        if config.backbone == "mn04":
            self.trunk = MobileNetTrunk(config.in_channels)
            self.head = self.trunk.new_head(outputs, config.dropout)
        else:
            self.trunk = ResNetTrunk(config.depth, config.width, config.in_channels)
            self.head = _paper_head(self.trunk.out_features, outputs, config.dropout)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(self.normalised(images_BCHW)))
        return logits

    def normalised(self, images_BCHW: Tensor) -> Tensor:
        """What the trunk takes, float [B, C, H, W]."""
        x_BCHW = (images_BCHW.float() - self.mean) / self.std
        return x_BCHW - x_BCHW.mean(dim=3, keepdim=True) if self.centre_rows else x_BCHW

    def probabilities_from(self, logits: Tensor) -> Tensor:
        """Probabilities of the classes, float [B, classes], that `forward`'s logits stand for."""
        return probabilities_from_signs(logits) if self.answers == "signs" else torch.softmax(logits, dim=1)

    def set_normalisation(self, mean: Tensor, std: Tensor) -> None:
        """Store the grey-level statistics of the training images, both float [C]."""
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.std.copy_(std.reshape(self.std.shape))


def _paper_head(in_features: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(in_features, _HEAD_UNITS),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(_HEAD_UNITS, _HEAD_UNITS),
        nn.ReLU(),
        nn.Linear(_HEAD_UNITS, outputs),
    )
