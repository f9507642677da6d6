"""A training run from folders to its best checkpoint, which goes on from its last whole epoch after a kill."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from train import run_folder
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import Config
from train.cycles import LoadCycles, read_cycles
from train.data import RunRecordings, check_classes, load_training_cycles, run_recordings
from train.dataset import EvaluationImages, EvaluationPadding, TrainingImages, evaluation_images, grey_level_statistics
from train.errors import ConfigError, SplitError
from train.evaluate import evaluate, figures
from train.initialisation import network_from_imagenet, network_from_run, network_from_scratch
from train.loop import EpochReport, Learner, accelerator, new_learner, predict, train_epoch
from train.network import RespireNetwork
from train.run_record import run_record
from train.sampling import draw_epoch, draw_probabilities
from train.task import cycles_for


@dataclass(frozen=True)
class Run:
    """Everything that stays the same from epoch to epoch."""

    folder: Path
    config: Config
    record: Mapping[str, Any]
    training: TrainingImages
    validation: Mapping[str, EvaluationImages]

    @property
    def samples_per_epoch(self) -> int:
        """As the recipe says, or as many as there are training cycles."""
        return self.config.samples_per_epoch or len(self.training.cycles)

    @property
    def total_steps(self) -> int:
        """Of the whole run; a last, smaller batch is dropped."""
        return max(1, self.samples_per_epoch // self.config.batch_size) * self.config.epochs


def train(
    config: Config, data: Mapping[str, Path], out: Path, init: Path | None = None, load: LoadCycles = read_cycles
) -> Path:
    """Train to the recipe's end, or go on where a killed run of the same configuration stopped.

    Returns the folder of the checkpoint with the highest mean validation Score, after measuring it on the test side,
    where the split has one (`OUT/test.json`). Raises TrainError.
    """
    parts = {each.name: run_recordings(each, data[each.name], config.protocol) for each in config.datasets}
    check_classes(parts, config)
    check_initial_checkpoint(config, parts, init)
    run_folder.open_run_folder(out, config, data, init)
    record = run_record(config, parts, init)
    run_folder.write_json(out / run_folder.RUN_FILE, record)
    cycles = load_training_cycles(parts, config, load)
    run = Run(
        out, config, record, TrainingImages(cycles, config.spec, config.augmentation), _validation(parts, config, load)
    )
    learner, history = _begin_or_go_on(run, init)
    for epoch in range(len(history), config.epochs):
        history = _one_epoch(run, learner, epoch, history)
    _measure_on_test_side(run, parts, load)
    return out / "best"


def check_initial_checkpoint(config: Config, parts: Mapping[str, RunRecordings], init: Path | None) -> None:
    """Refuse a checkpoint that is missing, not wanted, or learnt from patients that this run validates or tests on."""
    if (init is not None) != (config.initialisation == "checkpoint"):
        needed = "needs" if init is None else "does not take"
        raise ConfigError(f"recipe {config.recipe} {needed} --init CHECKPOINT")
    if init is None:
        return
    earlier = load_checkpoint(init).training_run.get("patients", {})
    for name, part in parts.items():
        learnt = set(earlier.get(name, {}).get("training", ()))
        seen = ", ".join(sorted(learnt & part.patients_held_back))
        if seen:
            raise SplitError(f"{init} was trained on {name} patients that this run holds back: {seen}")


def _validation(parts: Mapping[str, RunRecordings], config: Config, load: LoadCycles) -> dict[str, EvaluationImages]:
    """The windows that select the epoch; under the published protocol these are the test side's, padded by label."""
    padding: EvaluationPadding = "smart" if config.protocol == "published" else "repetition"
    cycles = {name: cycles_for(config.task, load(part.validation, config.spec)) for name, part in parts.items()}
    return {name: evaluation_images(held, config.spec, padding=padding) for name, held in cycles.items() if held}


def _measure_on_test_side(run: Run, parts: Mapping[str, RunRecordings], load: LoadCycles) -> None:
    """Write `test.json` for the first dataset, if its split has a test side with annotated cycles."""
    dataset, path = run.config.datasets[0], run.folder / run_folder.TEST_FILE
    test = parts[dataset.name].test
    if path.is_file() or not any(recording.annotations for recording in test):
        return
    checkpoint = load_checkpoint(run.folder / "best")
    published = run.config.protocol == "published"
    report = {
        "protocol": run.config.protocol,
        "extent": parts[dataset.name].extent,
        "dataset": dataset.name,
        "split": dataset.split,
        "checkpoint": "best",
        "epoch": checkpoint.training_run["epoch"],
        "seed": run.config.seed,
        "figures": evaluate(checkpoint, test, load),
        "leaking_figures": evaluate(checkpoint, test, load, padding="smart") if published else None,
    }
    run_folder.write_json(path, report)


def _begin_or_go_on(run: Run, init: Path | None) -> tuple[Learner, list[dict[str, Any]]]:
    network = _initial_network(run, init).to(accelerator())
    learner = new_learner(network, run.config.optimiser)
    state = run_folder.maybe_read_state(run.folder)
    if state is None:
        return learner, []
    learner.load_state_dict(state["learner"])
    return learner, state["history"]


def _initial_network(run: Run, init: Path | None) -> RespireNetwork:
    config = run.config
    if init is not None:
        # The statistics stay those that its weights were made for.
        return network_from_run(init, config.network, config.seed)
    begin = network_from_imagenet if config.initialisation == "imagenet" else network_from_scratch
    network = begin(config.network, config.seed)
    mean, std = grey_level_statistics(run.training.cycles, config.spec, np.random.default_rng(config.seed))
    network.set_normalisation(torch.from_numpy(mean), torch.from_numpy(std))
    return network


def _one_epoch(run: Run, learner: Learner, epoch: int, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    config = run.config
    # Dropout's random numbers depend on the epoch alone, so that a run that goes on repeats an unbroken one.
    torch.manual_seed(config.seed * 100_003 + epoch)
    report = train_epoch(learner, _batches(run, epoch), run.total_steps, config.optimiser)
    started = time.perf_counter()
    validation = {name: figures(held.cycles, predict(learner.average, held)) for name, held in run.validation.items()}
    line = _epoch_line(epoch, learner, report, validation, time.perf_counter() - started)
    history = [*history, line]
    for name in ("last", "best") if _is_best(history) else ("last",):
        save_checkpoint(run.folder / name, _checkpoint(run, learner, line))
    run_folder.write_metrics(run.folder, history)
    run_folder.write_state(run.folder, {"learner": learner.state_dict(), "history": history})
    tqdm.write(_epoch_text(line))
    return history


def _batches(run: Run, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
    config = run.config
    shares = {dataset.name: dataset.share for dataset in config.datasets}
    probabilities = draw_probabilities(run.training.cycles, config.class_shares, shares)
    draws = draw_epoch(probabilities, run.samples_per_epoch, config.seed, epoch)
    loader = DataLoader(
        run.training,
        batch_size=min(config.batch_size, len(draws)),
        sampler=draws,
        num_workers=config.workers,
        drop_last=True,
        pin_memory=torch.cuda.is_available(),
    )
    return tqdm(loader, desc=f"epoch {epoch + 1}/{config.epochs}", unit="batch", leave=False, disable=None)


def _epoch_line(
    epoch: int, learner: Learner, report: EpochReport, validation: Mapping[str, Any], validation_seconds: float
) -> dict[str, Any]:
    scores = [found["score"] for found in validation.values() if found["score"] is not None]
    return {
        "epoch": epoch,
        "loss": round(report.loss, 5),
        "learning_rate": learner.optimiser.param_groups[0]["lr"],
        "selection": round(sum(scores) / len(scores), 4) if scores else None,
        "seconds": round(report.seconds, 1),
        "waiting_seconds": round(report.waiting_seconds, 1),
        "validation_seconds": round(validation_seconds, 1),
        "validation": validation,
    }


def _is_best(history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last epoch has the highest mean validation Score; without validation, the last is always taken."""
    newest = history[-1]["selection"]
    return newest is None or all(newest > line["selection"] for line in history[:-1])


def _epoch_text(line: Mapping[str, Any]) -> str:
    parts = [f"epoch {line['epoch'] + 1}: loss {line['loss']:.3f}, {line['seconds']:.0f} s"]
    for name, found in line["validation"].items():
        se, sp = _percent(found["sensitivity"]), _percent(found["specificity"])
        parts.append(f"{name} Score {_percent(found['score'])} (Se {se}, Sp {sp})")
    return "; ".join(parts)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


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
