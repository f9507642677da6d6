"""Where the first weights come from: chance, ImageNet, AudioSet, or an earlier run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

from edge.signal.log_mel import network_scale
from train.checkpoint import load_checkpoint
from train.errors import CheckpointError, ConfigError
from train.mobilenet import weights_from_efficientat
from train.network import NetworkConfig, RespireNetwork

AUDIOSET_FILE = "mn04_as.npz"
"""EfficientAT's `mn04_as_mAP_432.pt`, its float32 arrays under PyTorch's names."""
AUDIOSET_SOURCE = "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt"
WEIGHTS_VARIABLE = "RESPIRE_TRAIN_WEIGHTS"
"""Environment variable that names a folder with weights made elsewhere."""


def network_from_scratch(config: NetworkConfig, seed: int) -> RespireNetwork:
    """PyTorch's default initialisation, from a seed."""
    torch.manual_seed(seed)
    return RespireNetwork(config)


def network_from_imagenet(config: NetworkConfig, seed: int) -> RespireNetwork:
    """The trunk from torchvision's ImageNet weights, the head from a seed.

    With one input channel the first layer's three are added up, which is what it would answer to a grey picture.
    Raises ConfigError for another network or width, or where the weights cannot be had.
    """
    if config.backbone != "resnet":
        raise ConfigError(f"initialisation imagenet is for a resnet, not {config.backbone}; choose audioset or scratch")
    if config.width != 1.0:
        raise ConfigError(f"ImageNet weights exist for width 1.0, not {config.width}; use scratch or --init CHECKPOINT")
    network = network_from_scratch(config, seed)
    network.trunk.load_state_dict(trunk_weights_from_imagenet(imagenet_weights(config.depth), config.in_channels))
    return network


def network_from_audioset(config: NetworkConfig, seed: int) -> RespireNetwork:
    """All but the last layer from EfficientAT's AudioSet weights, with the input scale that they were made for.

    Raises ConfigError for another backbone, or where the weights cannot be had.
    """
    if config.backbone != "mn04":
        raise ConfigError(f"initialisation audioset is for backbone mn04, not {config.backbone}")
    network = network_from_scratch(config, seed)
    weights = weights_from_efficientat(audioset_weights(), config.in_channels)
    network.trunk.load_state_dict(weights["trunk"])
    network.head[0].load_state_dict(weights["head"])
    mean, std = network_scale()
    network.set_normalisation(torch.full((config.in_channels,), mean), torch.full((config.in_channels,), std))
    return network


def audioset_weights() -> dict[str, Tensor]:
    """EfficientAT's state_dict of `mn04_as`, from `$RESPIRE_TRAIN_WEIGHTS` or PyTorch's cache.

    Raises ConfigError saying where to get the file and where to put it.
    """
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    folders = [Path(os.environ[WEIGHTS_VARIABLE])] if os.environ.get(WEIGHTS_VARIABLE) else []
    for folder in (*folders, cache):
        if (path := folder / AUDIOSET_FILE).is_file():
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        if (path := folder / AUDIOSET_SOURCE.rsplit("/", 1)[-1]).is_file():
            return dict(torch.load(path, map_location="cpu", weights_only=True))
    raise ConfigError(
        f"no AudioSet weights in {' or '.join(map(str, (*folders, cache)))}; download {AUDIOSET_SOURCE} into the last, "
        f"or name a folder that holds it or {AUDIOSET_FILE} in {WEIGHTS_VARIABLE}"
    )


def network_from_run(folder: Path, config: NetworkConfig, seed: int = 0) -> RespireNetwork:
    """All weights of an earlier run's checkpoint, whose network must be the same. Raises CheckpointError.

    Where the task is another one, the last layer's weights are new, from `seed`.
    """
    checkpoint = load_checkpoint(folder)
    theirs = checkpoint.network
    if replace(theirs, dropout=config.dropout, classes=config.classes) != config:
        raise CheckpointError(f"{folder} holds {theirs}, the recipe asks for {config}; choose a matching recipe")
    network = network_from_scratch(config, seed)
    kept = dict(checkpoint.weights)
    if config.classes != theirs.classes:
        last_layer = f"head.{len(network.head) - 1}."
        kept |= {name: tensor for name, tensor in network.state_dict().items() if name.startswith(last_layer)}
    network.load_state_dict(kept)
    return network


def trunk_weights_from_imagenet(weights: Mapping[str, Tensor], in_channels: int) -> dict[str, Tensor]:
    """Torchvision's state_dict without its classifier, the first convolution fitted to 1 or 3 channels."""
    trunk = {name: tensor for name, tensor in weights.items() if not name.startswith("fc.")}
    if in_channels == 1:
        trunk["conv1.weight"] = trunk["conv1.weight"].sum(dim=1, keepdim=True)
    return trunk


def imagenet_weights(depth: int) -> dict[str, Tensor]:
    """Torchvision's state_dict, from its cache or the network. Raises ConfigError saying where to put the file."""
    from torchvision.models import ResNet18_Weights, ResNet34_Weights

    source = {18: ResNet18_Weights.IMAGENET1K_V1, 34: ResNet34_Weights.IMAGENET1K_V1}[depth]
    try:
        weights: dict[str, Tensor] = dict(source.get_state_dict(progress=True, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        place = Path(torch.hub.get_dir()) / "checkpoints" / source.url.rsplit("/", 1)[-1]
        raise ConfigError(f"no ImageNet weights ({error}); download {source.url} and put it at {place}") from None
    return weights
