"""The epochs of a run: learn, select, keep; a killed run goes on after its last whole epoch.

It ends with the weights of an unbroken run, to the bit where sums are made in the same order: on the same processor
with as many threads, or on the same GPU, for which cuDNN is told to take only algorithms that repeat; and with as many
processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from train import run_folder
from train.batches import Batches
from train.checkpoint import Checkpoint, save_checkpoint
from train.config import Config
from train.curves import draw_curves
from train.dataset import EvaluationImages
from train.distributed import Workers
from train.errors import ConfigError, DivergenceError
from train.evaluate import figures
from train.history import History, epoch_line, epoch_text, is_best
from train.loop import EpochReport, Learner, new_learner, predict, train_epoch
from train.network import RespireNetwork
from train.tensorboard import write_tensorboard

_DRAWING_EVERY_S = 10.0
"""Drawing takes as long as an epoch of a small run."""


@dataclass(frozen=True)
class Run:
    """Everything that stays the same from epoch to epoch."""

    folder: Path
    config: Config
    record: Mapping[str, Any]
    workers: Workers
    batches: Batches
    validation: Mapping[str, EvaluationImages]
    """By dataset; nothing in all processes but the first."""

    @property
    def total_steps(self) -> int:
        """Of the whole run."""
        return self.batches.steps_per_epoch * self.config.epochs


def train_epochs(run: Run, first_network: Callable[[], RespireNetwork]) -> None:
    """Train to the recipe's last epoch, from the run folder's state or, where it has none, from `first_network`."""
    # cuDNN's other algorithms add up in any order, and its search for the fastest does not always find the same one.
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    state = run.workers.from_first(lambda: run_folder.maybe_read_state(run.folder))
    network = RespireNetwork(run.config.network) if state else first_network()
    learner = new_learner(network, run.config.optimiser, run.workers)
    history: History = []
    album = _Album(run)
    if state:
        learner.load_state_dict(state["learner"])
        history = state["history"]
        run.workers.from_first(lambda: _publish(run, learner, history, album))
    while len(history) < run.config.epochs:
        history = _one_epoch(run, learner, history, album)


def _one_epoch(run: Run, learner: Learner, history: History, album: _Album) -> History:
    epoch = len(history)
    _seed_dropout(run, epoch)
    report = _trained(run, learner, epoch)
    return run.workers.from_first(lambda: _keep_epoch(run, learner, report, history, album))


def _seed_dropout(run: Run, epoch: int) -> None:
    # Of epoch and process alone, so that a run that goes on repeats an unbroken one.
    torch.manual_seed(run.config.seed * 100_003 + epoch + 10**12 * run.workers.rank)
    # The first number went to the data loader in earlier versions; without this, their runs could not be repeated.
    torch.empty((), dtype=torch.int64).random_()


def _trained(run: Run, learner: Learner, epoch: int) -> EpochReport:
    try:
        return train_epoch(learner, run.batches.of_epoch(epoch), run.total_steps, run.config.optimiser)
    except DivergenceError as error:
        raise DivergenceError(
            f"epoch {epoch + 1}: {error}; {run.folder} keeps the epochs before it. "
            "Train again, with another --out and a lower --set optimiser.learning_rate=…"
        ) from None
    except torch.OutOfMemoryError:
        size = run.config.batch_size
        raise ConfigError(
            f"the memory of {run.workers.device} is too small for batches of {size} images; "
            f"give --set batch_size={size // 2} and another --out"
        ) from None


def _keep_epoch(run: Run, learner: Learner, report: EpochReport, history: History, album: _Album) -> History:
    """Validate, then write the epoch; from the moment that the state is replaced, it counts."""
    started = time.perf_counter()
    validation = {name: figures(held.cycles, predict(learner.average, held)) for name, held in run.validation.items()}
    rate = learner.optimiser.param_groups[0]["lr"]
    line = epoch_line(len(history), rate, report, validation, time.perf_counter() - started)
    history = [*history, line]
    run_folder.write_state(run.folder, {"learner": learner.state_dict(), "history": history})
    _publish(run, learner, history, album)
    tqdm.write(epoch_text(line))
    return history


def _publish(run: Run, learner: Learner, history: History, album: _Album) -> None:
    """Write what follows from the state; again, where a kill may have come between."""
    for name in ("last", "best") if is_best(history) else ("last",):
        save_checkpoint(run.folder / name, _checkpoint(run, learner, history[-1]))
    album.show(history)
    run_folder.write_metrics(run.folder, history)


def _checkpoint(run: Run, learner: Learner, line: Mapping[str, Any]) -> Checkpoint:
    network = learner.average
    return Checkpoint(
        network=run.config.network,
        spec=run.config.spec,
        mean=tuple(network.mean.flatten().tolist()),
        std=tuple(network.std.flatten().tolist()),
        weights={name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()},
        training_run={**run.record, "epoch": line["epoch"]},
        metrics={"validation": line["validation"]},
    )


class _Album:
    """The curves in a run's folder."""

    def __init__(self, run: Run) -> None:
        self._folder = run.folder
        self._epochs = run.config.epochs
        self._drawn_at_s = time.monotonic()

    def show(self, history: History) -> None:
        """Draw them again, after the last epoch and otherwise now and then."""
        if len(history) == self._epochs or time.monotonic() - self._drawn_at_s >= _DRAWING_EVERY_S:
            draw_curves(history, self._folder / run_folder.CURVES_FILE)
            write_tensorboard(self._folder, history)
            self._drawn_at_s = time.monotonic()
