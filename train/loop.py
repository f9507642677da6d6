"""One epoch of training, and evaluation, which takes no random numbers."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import convert_conv2d_weight_memory_format

from train.batches import Batch
from train.config import OptimiserConfig
from train.dataset import EvaluationImages
from train.distributed import ALONE, Workers
from train.errors import DivergenceError
from train.network import RespireNetwork
from train.signs import signs_loss

T = TypeVar("T")

_EVALUATION_BATCH = 64
_AUTOCAST: Final[Mapping[str, torch.dtype]] = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Learner:
    """What changes as training goes on."""

    network: RespireNetwork
    replica: nn.Module
    """The network as training's forward pass takes it: one of several processes' averages its gradients with theirs."""
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    """Keeps small gradients from vanishing in float16; does nothing in other precisions."""
    average: RespireNetwork
    """The averaged weights, or the network itself where the recipe averages none."""
    workers: Workers
    step: int = 0

    def state_dict(self) -> dict[str, Any]:
        """All that a killed run needs to go on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state.get("scaler", {}))
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


def new_learner(network: RespireNetwork, config: OptimiserConfig, workers: Workers = ALONE) -> Learner:
    """A network, moved to the process's device, with its optimiser at step 0."""
    network.to(workers.device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    workers.normalise_together(network)
    average = copy.deepcopy(network) if config.average_decay else network
    scaler = torch.amp.GradScaler(workers.device.type, enabled=config.precision == "float16")
    return Learner(network, workers.averaging_gradients(network), _optimiser(network, config), scaler, average, workers)


def train_epoch(learner: Learner, batches: Iterable[Batch], total_steps: int, config: OptimiserConfig) -> EpochReport:
    """Go once through `batches`, this process's shares. Raises DivergenceError where the loss is no longer a number."""
    learner.replica.train()
    started, losses, waiting = time.perf_counter(), [], _Waiting()
    for images, labels in waiting.over(batches):
        for group in learner.optimiser.param_groups:
            group["lr"] = learning_rate_at(learner.step, total_steps, config)
        losses.append(_step(learner, images, labels, config))
        learner.step += 1
        _update_average(learner, config.average_decay)
    loss = _mean_loss(learner.workers.mean(torch.stack(losses)).tolist())
    return EpochReport(loss, time.perf_counter() - started, waiting.seconds)


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


def _optimiser(network: RespireNetwork, config: OptimiserConfig) -> torch.optim.Optimizer:
    if config.name == "sgd":
        return torch.optim.SGD(
            network.parameters(), config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)


def _step(learner: Learner, images: Tensor, labels: Tensor, config: OptimiserConfig) -> Tensor:
    """One change of the weights; the mean loss over this process's share, left on its device so as not to wait."""
    device = learner.workers.device
    images = images.to(device, non_blocking=True).float().contiguous(memory_format=torch.channels_last)
    labels = labels.to(device, non_blocking=True)
    learner.optimiser.zero_grad(set_to_none=True)
    with torch.autocast(device.type, _AUTOCAST.get(config.precision), enabled=config.precision in _AUTOCAST):
        loss = loss_of(learner.network, learner.replica(images), labels, config.label_smoothing)
    torch.autograd.backward(learner.scaler.scale(loss))
    learner.scaler.step(learner.optimiser)
    learner.scaler.update()
    return loss.detach()


def loss_of(network: RespireNetwork, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy of a batch's answers, 0-dimensional; of each of the signs where the network gives those."""
    if network.answers == "signs":
        return signs_loss(logits, labels, smoothing)
    return cross_entropy(logits, labels, label_smoothing=smoothing)


def _mean_loss(losses: list[float]) -> float:
    wrong = next((step for step, loss in enumerate(losses, start=1) if not math.isfinite(loss)), None)
    if wrong is not None:
        raise DivergenceError(f"the loss is {losses[wrong - 1]} at step {wrong}")
    return sum(losses) / len(losses)


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
    probabilities: NDArray[np.float32] = network.probabilities_from(network(batch)).cpu().numpy()
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
