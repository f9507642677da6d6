"""One epoch of training, and evaluation, which takes no random numbers."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from train.config import OptimiserConfig
from train.dataset import EvaluationImages
from train.network import RespireNetwork

T = TypeVar("T")

_EVALUATION_BATCH = 64


@dataclass
class Learner:
    """What changes as training goes on."""

    network: RespireNetwork
    optimiser: torch.optim.Optimizer
    average: RespireNetwork
    """The averaged weights, or the network itself where the recipe averages none."""
    step: int = 0

    def state_dict(self) -> dict[str, Any]:
        """All that a killed run needs to go on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        self.step = state["step"]


@dataclass(frozen=True)
class EpochReport:
    """How an epoch went."""

    loss: float
    """Mean cross-entropy over the samples."""
    seconds: float
    waiting_seconds: float
    """Of these, spent waiting for images."""


def new_learner(network: RespireNetwork, config: OptimiserConfig) -> Learner:
    """A network with its optimiser at step 0."""
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    optimiser: torch.optim.Optimizer
    if config.name == "sgd":
        optimiser = torch.optim.SGD(
            network.parameters(), config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
    else:
        optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    return Learner(network, optimiser, copy.deepcopy(network) if config.average_decay else network)


def train_epoch(
    learner: Learner, batches: Iterable[tuple[Tensor, Tensor]], total_steps: int, config: OptimiserConfig
) -> EpochReport:
    """Go once through `batches` of (uint8 images [B, C, H, W], int labels [B])."""
    learner.network.train()
    device = next(learner.network.parameters()).device
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    started, losses, samples = time.perf_counter(), 0.0, 0
    waiting = _Waiting()
    for images, labels in waiting.over(batches):
        for group in learner.optimiser.param_groups:
            group["lr"] = learning_rate_at(learner.step, total_steps, config)
        images = images.to(device, non_blocking=True).float().contiguous(memory_format=torch.channels_last)
        learner.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=config.precision == "bfloat16"):
            loss = criterion(learner.network(images), labels.to(device, non_blocking=True))
        loss.backward()
        learner.optimiser.step()
        learner.step += 1
        _update_average(learner, config.average_decay)
        losses, samples = losses + loss.item() * len(labels), samples + len(labels)
    return EpochReport(losses / samples, time.perf_counter() - started, waiting.seconds)


def accelerator() -> torch.device:
    """The GPU where there is one (under `torchrun` this process's own), else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def predict(network: RespireNetwork, evaluation: EvaluationImages) -> NDArray[np.float32]:
    """Probabilities [number of cycles, classes]; a cycle longer than the window gets the mean over its pieces."""
    network.eval()
    device = next(network.parameters()).device
    pieces = [_probabilities(network, images, device) for images in _batches(evaluation.images)]
    per_image = np.concatenate(pieces) if pieces else np.zeros((0, 4), dtype=np.float32)
    totals = np.zeros((len(evaluation.cycles), per_image.shape[1]), dtype=np.float32)
    np.add.at(totals, evaluation.cycle_of_image, per_image)
    pieces_per_cycle = np.bincount(evaluation.cycle_of_image, minlength=len(totals))
    return (totals / pieces_per_cycle[:, np.newaxis]).astype(np.float32)


def learning_rate_at(step: int, total_steps: int, config: OptimiserConfig) -> float:
    """The rate of one step: a linear rise over the warm-up, then fixed or half a cosine down to 0."""
    warmup_steps = config.warmup_share * total_steps
    if step < warmup_steps:
        return config.learning_rate * (step + 1) / (warmup_steps + 1)
    if config.schedule == "fixed":
        return config.learning_rate
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return config.learning_rate * (1 + math.cos(math.pi * min(1.0, progress))) / 2


@torch.no_grad()
def _update_average(learner: Learner, decay: float) -> None:
    if not decay:
        return
    # Young averages forget faster, or the first random weights would linger.
    decay = min(decay, (1 + learner.step) / (10 + learner.step))
    current = learner.network.state_dict()
    for name, average in learner.average.state_dict().items():
        if average.dtype.is_floating_point:
            average.lerp_(current[name], 1 - decay)
        else:
            average.copy_(current[name])


@torch.inference_mode()
def _probabilities(network: RespireNetwork, images: NDArray[np.uint8], device: torch.device) -> NDArray[np.float32]:
    batch = torch.from_numpy(images).to(device).float().contiguous(memory_format=torch.channels_last)
    probabilities: NDArray[np.float32] = torch.softmax(network(batch), dim=1).cpu().numpy()
    return probabilities


def _batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(images), _EVALUATION_BATCH):
        yield images[start : start + _EVALUATION_BATCH]


class _Waiting:
    """Adds up the time spent asking an iterable for its next item."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def over(self, items: Iterable[T]) -> Iterator[T]:
        iterator = iter(items)
        while True:
            asked = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - asked
            yield item
