"""Where the first weights come from: chance, ImageNet, or an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from train.checkpoint import load_checkpoint
from train.errors import CheckpointError, ConfigError
from train.network import NetworkConfig, RespireNetwork

_LAST_LAYER = "head.6."


def network_from_scratch(config: NetworkConfig, seed: int) -> RespireNetwork:
    """PyTorch's default initialisation, from a seed."""
    torch.manual_seed(seed)
    return RespireNetwork(config)


def network_from_imagenet(config: NetworkConfig, seed: int) -> RespireNetwork:
    """The trunk from torchvision's ImageNet weights, the head from a seed.

    With one input channel the first layer's three are added up, which is what it would answer to a grey picture.
    Raises ConfigError for another width, or where the weights cannot be had.
    """
    if config.width != 1.0:
        raise ConfigError(f"ImageNet weights exist for width 1.0, not {config.width}; use scratch or --init CHECKPOINT")
    network = network_from_scratch(config, seed)
    network.trunk.load_state_dict(trunk_weights_from_imagenet(imagenet_weights(config.depth), config.in_channels))
    return network


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
        kept |= {name: tensor for name, tensor in network.state_dict().items() if name.startswith(_LAST_LAYER)}
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
