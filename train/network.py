"""The paper's network: a ResNet trunk and two 128-unit layers, with its input normalisation inside.

Shapes: B = batch, C = image channels, H = mel rows, W = frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from edge.labels import LABELS

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_HEAD_UNITS = 128


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What the network looks like; the defaults are the paper's."""

    depth: int = 34
    """18 or 34 layers (He et al., 2016)."""
    width: float = 1.0
    """Share of the original number of feature maps: 1.0 starts at 64."""
    in_channels: int = 3
    dropout: float = 0.5
    """Before each of the two 128-unit layers, as in the authors' released head."""
    centre_rows: bool = False
    """Whether each mel row's mean over the window is taken away first: in decibels that cancels the steady part of any
    frequency response, a stethoscope's own included (after Nguyen and Pernkopf's spectrum correction, 2022)."""
    classes: int = len(LABELS)
    """4, or 2 for normal against abnormal (`train.task`)."""

    def __post_init__(self) -> None:
        if self.depth not in _BLOCKS:
            raise ValueError(f"depth is {self.depth}; known are {sorted(_BLOCKS)}")
        if self.classes not in (2, len(LABELS)):
            raise ValueError(f"classes is {self.classes}; there are tasks with 2 and with {len(LABELS)}")
        if not 0 < self.width <= 4 or not 0 <= self.dropout < 1:
            raise ValueError(f"width {self.width} must be in (0, 4] and dropout {self.dropout} in [0, 1)")


class RespireNetwork(nn.Module):
    """Images in grey levels, uint8 or float [B, C, H, W], to logits [B, classes] in the order of the task's labels."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, config.in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, config.in_channels, 1, 1))
        self.centre_rows = config.centre_rows
        self.trunk = ResNetTrunk(config)
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(self.trunk.out_features, _HEAD_UNITS),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(_HEAD_UNITS, _HEAD_UNITS),
            nn.ReLU(),
            nn.Linear(_HEAD_UNITS, config.classes),
        )

    def forward(self, images_BCHW: Tensor) -> Tensor:
        x_BCHW = (images_BCHW.float() - self.mean) / self.std
        if self.centre_rows:
            x_BCHW = x_BCHW - x_BCHW.mean(dim=3, keepdim=True)
        logits: Tensor = self.head(self.trunk(x_BCHW))
        return logits

    def set_normalisation(self, mean: Tensor, std: Tensor) -> None:
        """Store the grey-level statistics of the training images, both float [C]."""
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.std.copy_(std.reshape(self.std.shape))


class ResNetTrunk(nn.Module):
    """torchvision's ResNet without its classifier, at any width; parameter names are torchvision's.

    Input float [B, C, H, W], output [B, out_features].
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = [round(64 * config.width) * 2**stage for stage in range(4)]
        self.conv1 = nn.Conv2d(config.in_channels, widths[0], kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        blocks = _BLOCKS[config.depth]
        self.layer1 = _stage(widths[0], widths[0], blocks[0], stride=1)
        self.layer2 = _stage(widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.out_features = widths[3]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.maxpool(self.relu(self.bn1(self.conv1(x_BCHW))))
        x_BCHW = self.layer4(self.layer3(self.layer2(self.layer1(x_BCHW))))
        return torch.flatten(self.avgpool(x_BCHW), 1)


def _stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or in_channels != out_channels:
        projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
        downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
    first = BasicBlock(in_channels, out_channels, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(out_channels, out_channels) for _ in range(blocks - 1)))
