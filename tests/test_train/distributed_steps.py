"""Two training steps, in one process or, run by torchrun, in several: `distributed_steps.py OUT` writes OUT/RANK.pt."""

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from train.config import OptimiserConfig
from train.distributed import Workers, open_workers
from train.errors import ConfigError
from train.initialisation import network_from_scratch
from train.loop import new_learner, train_epoch
from train.network import NetworkConfig

SGD = OptimiserConfig(name="sgd", learning_rate=1e-2, precision="float32", average_decay=0.9)
NETWORK = NetworkConfig(depth=18, width=0.125, in_channels=1, dropout=0.0)


def trained_weights(workers: Workers, *, normalised: bool) -> dict[str, Tensor]:
    """The parameters after two steps on batches of eight; without batch normalisation if not `normalised`."""
    # Other weights in each process: the first one's count.
    network = network_from_scratch(NETWORK, seed=workers.rank)
    if not normalised:
        remove_normalisation(network)
    learner = new_learner(network, SGD, workers)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 8, 1, 64, 64), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 4, (2, 8), generator=generator)
    share = slice(workers.rank, None, workers.count)
    batches = [(each[share] / 255, label[share]) for each, label in zip(images, labels, strict=True)]
    report = train_epoch(learner, batches, total_steps=2, config=SGD)
    return {"loss": torch.tensor(report.loss), **dict(learner.network.named_parameters())}


def remove_normalisation(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            remove_normalisation(child)


def refused_by_first(workers: Workers) -> str:
    """The error that every process gets where only the first meets it."""

    def work() -> None:
        if not workers.is_first:
            raise AssertionError("only the first process works")
        raise ConfigError("no room")

    try:
        workers.from_first(work)
    except ConfigError as error:
        return str(error)
    return "nothing"


if __name__ == "__main__":
    with open_workers(os.environ) as joined:
        found = {
            "plain": trained_weights(joined, normalised=False),
            "normalised": trained_weights(joined, normalised=True),
            "from_first": joined.from_first(lambda: joined.rank),
            "refused": refused_by_first(joined),
        }
        torch.save(found, Path(sys.argv[1]) / f"{joined.rank}.pt")
