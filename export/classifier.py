"""The computation that is exported: normalisation, network and probabilities as one, folded where that is exact."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from train.network import RespireNetwork


class ClassifierGraph(nn.Module):
    """uint8 `image` [B, C, H, W] to `probabilities` float32 [B, 4]; the same function as the network's probabilities.

    The division by the standard deviation becomes part of the first convolution's weights. The subtraction of the mean
    cannot: at the border the convolution adds zeros, which stand for grey levels equal to the mean. Where the network
    takes each row's mean away, the mean over all images drops out and is left out.
    """

    def __init__(self, network: RespireNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        with torch.no_grad():
            # [1, C, 1, 1], so that each input channel of [out, C, h, w] is divided by its own.
            self.network.trunk.first_convolution.weight.div_(self.network.std)

    def forward(self, image: Tensor) -> Tensor:
        grey_BCHW = image.float()
        offset = grey_BCHW.mean(dim=3, keepdim=True) if self.network.centre_rows else self.network.mean
        logits = self.network.head(self.network.trunk(grey_BCHW - offset))
        return self.network.probabilities_from(logits)
