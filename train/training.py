"""A training run from folders to its best checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from train import run_folder
from train.batches import Batches, check_batch_size
from train.checkpoint import load_checkpoint
from train.config import Config
from train.cycles import Cycle, LoadCycles, read_cycles
from train.data import RunRecordings, check_classes, load_training_cycles, run_recordings
from train.dataset import EvaluationImages, EvaluationPadding, evaluation_images, grey_level_statistics
from train.distributed import joined_workers
from train.epochs import Run, train_epochs
from train.errors import ConfigError, SplitError
from train.evaluate import evaluate
from train.initialisation import (
    network_from_audioset,
    network_from_imagenet,
    network_from_run,
    network_from_scratch,
)
from train.network import RespireNetwork
from train.run_record import run_record
from train.task import cycles_for


def train(
    config: Config, data: Mapping[str, Path], out: Path, init: Path | None = None, load: LoadCycles = read_cycles
) -> Path:
    """Train to the recipe's end, or go on where a killed run of the same configuration stopped.

    Returns the folder of the checkpoint with the highest mean validation Score, after measuring it on the test side,
    where the split has one (`OUT/test.json`). To be called in each of the processes that torchrun started. Raises
    TrainError.
    """
    workers = joined_workers()
    check_batch_size(config, workers.count)
    parts = {each.name: run_recordings(each, data[each.name], config.protocol) for each in config.datasets}
    check_classes(parts, config)
    check_initial_checkpoint(config, parts, init)
    workers.from_first(lambda: run_folder.open_run_folder(out, config, data, init))
    if workers.from_first(lambda: _is_finished(out, config, parts)):
        return out / "best"
    record = run_record(config, parts, init)
    workers.from_first(lambda: run_folder.write_json(out / run_folder.RUN_FILE, record))
    cycles = load_training_cycles(parts, config, load)
    validation = _validation(parts, config, load) if workers.is_first else {}
    run = Run(out, config, record, workers, Batches(cycles, config, workers), validation)
    train_epochs(run, lambda: _first_network(config, cycles, init))
    workers.from_first(lambda: _measure_on_test_side(run, parts, load))
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
    if not _has_test_side(run.config, parts):
        return
    dataset = run.config.datasets[0]
    test = parts[dataset.name].test
    checkpoint = load_checkpoint(run.folder / "best")
    published = run.config.protocol == "published"
    report = {
        "protocol": run.config.protocol,
        "extent": parts[dataset.name].extent,
        "coverage": parts[dataset.name].coverage,
        "dataset": dataset.name,
        "split": dataset.split,
        "checkpoint": "best",
        "epoch": checkpoint.training_run["epoch"],
        "seed": run.config.seed,
        "figures": evaluate(checkpoint, test, load),
        "leaking_figures": evaluate(checkpoint, test, load, padding="smart") if published else None,
    }
    run_folder.write_json(run.folder / run_folder.TEST_FILE, report)


def _has_test_side(config: Config, parts: Mapping[str, RunRecordings]) -> bool:
    return any(recording.annotations for recording in parts[config.datasets[0].name].test)


def _is_finished(out: Path, config: Config, parts: Mapping[str, RunRecordings]) -> bool:
    """Whether nothing is left to do, which is known before any sound is read."""
    measured = (out / run_folder.TEST_FILE).is_file() or not _has_test_side(config, parts)
    return measured and len(run_folder.read_metrics(out)) == config.epochs


def _first_network(config: Config, cycles: Sequence[Cycle], init: Path | None) -> RespireNetwork:
    if init is not None:
        # The statistics stay those that its weights were made for.
        return network_from_run(init, config.network, config.seed)
    if config.initialisation == "audioset":
        # Its weights were made for a fixed scale of the image, too.
        return network_from_audioset(config.network, config.seed)
    begin = network_from_imagenet if config.initialisation == "imagenet" else network_from_scratch
    network = begin(config.network, config.seed)
    mean, std = grey_level_statistics(cycles, config.spec, np.random.default_rng(config.seed))
    network.set_normalisation(torch.from_numpy(mean), torch.from_numpy(std))
    return network
