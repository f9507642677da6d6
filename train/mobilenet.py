"""MobileNetV3 at 0.4 of its width, as EfficientAT trained it on AudioSet under the name `mn04_as`.

Howard et al., "Searching for MobileNetV3", 2019; Schmid et al., "Efficient large-scale audio tagging via
transformer-to-CNN knowledge distillation", ICASSP 2023. Built from torchvision's blocks, whose squeeze-and-excitation
ends in a sigmoid here, as theirs does.

Shapes: B = batch, C = image channels, H = mel rows, W = frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig, MobileNetV3
from torchvision.ops import SqueezeExcitation

_WIDTH = 0.4
_HEAD_UNITS = 512
_AUDIOSET_CLASSIFIER = "classifier."
_BLOCKS = (
    # input channels, kernel, expanded channels, output channels, squeeze-and-excitation, activation, stride, dilation
    (16, 3, 16, 16, False, "RE", 1, 1),
    (16, 3, 64, 24, False, "RE", 2, 1),
    (24, 3, 72, 24, False, "RE", 1, 1),
    (24, 5, 72, 40, True, "RE", 2, 1),
    (40, 5, 120, 40, True, "RE", 1, 1),
    (40, 5, 120, 40, True, "RE", 1, 1),
    (40, 3, 240, 80, False, "HS", 2, 1),
    (80, 3, 200, 80, False, "HS", 1, 1),
    (80, 3, 184, 80, False, "HS", 1, 1),
    (80, 3, 184, 80, False, "HS", 1, 1),
    (80, 3, 480, 112, True, "HS", 1, 1),
    (112, 3, 672, 112, True, "HS", 1, 1),
    (112, 5, 672, 160, True, "HS", 2, 1),
    (160, 5, 960, 160, True, "HS", 1, 1),
    (160, 5, 960, 160, True, "HS", 1, 1),
)


class MobileNetTrunk(nn.Module):
    """The convolutions and their pooling: float [B, C, H, W] to [B, out_features]; any H and W."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        normalisation = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        whole = MobileNetV3(
            [InvertedResidualConfig(*block, width_mult=_WIDTH) for block in _BLOCKS],
            last_channel=_HEAD_UNITS,
            block=partial(InvertedResidual, se_layer=SqueezeExcitation),
            norm_layer=normalisation,
        )
        self.maps = whole.features
        first: nn.Conv2d = whole.features[0][0]
        whole.features[0][0] = nn.Conv2d(
            in_channels, first.out_channels, kernel_size=3, stride=2, padding=1, bias=False
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.out_features: int = whole.classifier[0].in_features

    @property
    def first_convolution(self) -> nn.Conv2d:
        """What sees the image."""
        convolution: nn.Conv2d = self.maps[0][0]
        return convolution

    def features(self, x_BCHW: Tensor) -> Tensor:
        """What is pooled: the last layer's maps, float [B, out_features, h, w]."""
        maps_BKhw: Tensor = self.maps(x_BCHW)
        return maps_BKhw

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.flatten(self.avgpool(self.features(x_BCHW)), 1)

    def new_head(self, outputs: int, dropout: float) -> nn.Sequential:
        """EfficientAT's classifier with that many outputs."""
        return nn.Sequential(
            nn.Linear(self.out_features, _HEAD_UNITS),
            nn.Hardswish(),
            nn.Dropout(dropout),
            nn.Linear(_HEAD_UNITS, outputs),
        )


def weights_from_efficientat(weights: Mapping[str, Tensor], in_channels: int) -> dict[str, dict[str, Tensor]]:
    """EfficientAT's state_dict as those of `trunk` and of the head's first layer.

    Its 527 classes are left out. Raises KeyError where the weights are another network's.
    """
    trunk = {
        "maps." + name.removeprefix("features.").replace("conc_se_layers.0.", ""): _as_convolution(name, tensor)
        for name, tensor in weights.items()
        if not name.startswith(_AUDIOSET_CLASSIFIER)
    }
    first = "maps.0.0.weight"
    # Several channels are averages of copies of the one that it heard.
    trunk[first] = trunk[first].repeat(1, in_channels, 1, 1) / in_channels
    head = {name: weights[f"{_AUDIOSET_CLASSIFIER}2.{name}"] for name in ("weight", "bias")}
    return {"trunk": trunk, "head": head}


def _as_convolution(name: str, tensor: Tensor) -> Tensor:
    # Their squeeze-and-excitation is made of linear layers, torchvision's of 1 x 1 convolutions.
    return tensor[:, :, None, None] if name.endswith((".fc1.weight", ".fc2.weight")) else tensor
