"""The paper's trunk: torchvision's ResNet at any width.

Shapes: B = batch, C = image channels, H = mel rows, W = frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

DEPTHS: Final[Mapping[int, tuple[int, int, int, int]]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""Number of layers -> blocks of each stage (He et al., 2016)."""


class ResNetTrunk(nn.Module):
    """torchvision's ResNet without its classifier, at any width; parameter names are torchvision's.

    Input float [B, C, H, W], output [B, out_features].
    """

    def __init__(self, depth: int, width: float, in_channels: int) -> None:
        super().__init__()
        widths = [round(64 * width) * 2**stage for stage in range(4)]
        self.conv1 = nn.Conv2d(in_channels, widths[0], kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        blocks = DEPTHS[depth]
        self.layer1 = _stage(widths[0], widths[0], blocks[0], stride=1)
        self.layer2 = _stage(widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.out_features = widths[3]

    @property
    def first_convolution(self) -> nn.Conv2d:
        """What sees the image."""
        return self.conv1

    def features(self, x_BCHW: Tensor) -> Tensor:
        """What is pooled: the last layer's maps, float [B, out_features, h, w]."""
        x_BCHW = self.maxpool(self.relu(self.bn1(self.conv1(x_BCHW))))
        maps_BKhw: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x_BCHW))))
        return maps_BKhw

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.flatten(self.avgpool(self.features(x_BCHW)), 1)


def _stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or in_channels != out_channels:
        projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
        downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
    first = BasicBlock(in_channels, out_channels, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(out_channels, out_channels) for _ in range(blocks - 1)))
