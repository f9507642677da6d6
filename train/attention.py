"""Where a network looks: Grad-CAM++ (Chattopadhay et al., 2018, arXiv:1710.11063) on layer 4 of the trunk.

Written out, since neither library fits: torchcam 0.5.0 divides a copy, so that the denominator of equation 19 has no
effect; pytorch-grad-cam 1.5.7 adds 1e-6 to it, which moves weights here by a fifth, and brings OpenCV and scikit-learn.

Shapes: B = batch, K = feature maps of layer 4, H = image rows, W = image columns, h, w = those of layer 4.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from train.network import RespireNetwork


def attention_maps(
    network: RespireNetwork, images: NDArray[np.uint8], classes: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """How much each place of each image speaks for a class, float32 [B, H, W], 1 at the strongest of its image.

    `images` is uint8 [B, C, H, W], `classes` int [B]; None: the class that the network gives each image. An image in
    which nothing speaks for the class has a map of zeros. Leaves no gradients behind; sets evaluation mode.
    """
    network.eval()
    batch = torch.from_numpy(images).to(network.mean.device)
    features_BKhw = _layer_4(network, batch)
    gradients_BKhw = _score_gradients(network, features_BKhw, classes)
    maps_B1hw = grad_cam_plus_plus(features_BKhw, gradients_BKhw).unsqueeze(1)
    maps_BHW = interpolate(maps_B1hw, size=images.shape[2:], mode="bilinear", align_corners=False).squeeze(1)
    peaks_B11 = maps_BHW.amax(dim=(1, 2), keepdim=True)
    scaled: NDArray[np.float32] = torch.where(peaks_B11 > 0, maps_BHW / peaks_B11, 0.0).cpu().numpy()
    return scaled


def attention_grid(network: RespireNetwork, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Rows and columns of layer 4 for images of that shape: no map is finer than this."""
    image = torch.zeros((1, *image_shape), device=network.mean.device)
    rows, columns = _layer_4(network.eval(), image).shape[2:]
    return rows, columns


def grad_cam_plus_plus(features_BKhw: Tensor, gradients_BKhw: Tensor) -> Tensor:
    """Maps [B, h, w] >= 0 from a layer's activations A >= 0 and the gradients g of the class scores.

    With Y = exp(score), as equation 19: a map is weighed by the sum of `alpha * relu(g)` over its places, where
    `alpha = g² / (2 g² + g³ ΣA)`. Where g > 0, that is `g / (2 + g ΣA)`, which needs no guard against 0 / 0.
    """
    rising_BKhw = gradients_BKhw.relu()
    totals_BK11 = features_BKhw.sum(dim=(2, 3), keepdim=True)
    weights_BK = (rising_BKhw / (2 + rising_BKhw * totals_BK11)).sum(dim=(2, 3))
    return torch.einsum("bk,bkhw->bhw", weights_BK, features_BKhw).relu()


def scores_from_features(network: RespireNetwork, features_BKhw: Tensor) -> Tensor:
    """What the network does after the trunk: logits [B, classes], or the log probabilities that signs stand for."""
    logits: Tensor = network.head(torch.flatten(network.trunk.avgpool(features_BKhw), 1))
    if network.answers == "classes":
        return logits
    return torch.log(network.probabilities_from(logits).clamp(min=torch.finfo(logits.dtype).tiny))


@torch.no_grad()
def _layer_4(network: RespireNetwork, batch_BCHW: Tensor) -> Tensor:
    return network.trunk.features(network.normalised(batch_BCHW))


@torch.enable_grad()
def _score_gradients(network: RespireNetwork, features_BKhw: Tensor, classes: NDArray[np.int64] | None) -> Tensor:
    """Of each image's class score before the softmax; only the head is gone through backwards."""
    leaf = features_BKhw.detach().requires_grad_()
    logits = scores_from_features(network, leaf)
    chosen = logits.argmax(dim=1) if classes is None else torch.from_numpy(classes).to(logits.device)
    (gradients,) = torch.autograd.grad(logits.gather(1, chosen.unsqueeze(1)).sum(), leaf)
    return gradients
