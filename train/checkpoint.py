"""A trained network on disk: `weights.pt` (a state_dict and nothing else) and `checkpoint.json`."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edge.signal.spec import FeatureSpec
from train.errors import CheckpointError
from train.network import NetworkConfig, RespireNetwork
from train.task import Task, labels_of, task_of

SCHEMA = 1
WEIGHTS_FILE = "weights.pt"
RECORD_FILE = "checkpoint.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that export and evaluation need to know."""

    network: NetworkConfig
    spec: FeatureSpec
    mean: tuple[float, ...]
    """Grey level per channel over unaugmented training images; also a buffer in the weights."""
    std: tuple[float, ...]
    weights: Mapping[str, Tensor]
    """state_dict of `RespireNetwork`, on the CPU, float32."""
    training_run: Mapping[str, Any]
    """Recipe, seed, code version, epoch and the patients of each side."""
    metrics: Mapping[str, Any]
    """Figures on the validation patients of each dataset."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the network's outputs."""
        return labels_of(self.network.classes)

    @property
    def task(self) -> Task:
        """What it was trained to answer."""
        return task_of(self.network.classes)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files, each replaced in one step.

    The record holds the sha256 of the weights, so that halves of two checkpoints are noticed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save({name: tensor.cpu().contiguous() for name, tensor in checkpoint.weights.items()}, buffer)
    record = {
        "schema": SCHEMA,
        "network": dataclasses.asdict(checkpoint.network),
        "feature_spec": checkpoint.spec.to_dict(),
        "feature_fingerprint": checkpoint.spec.fingerprint(),
        "mean": list(checkpoint.mean),
        "std": list(checkpoint.std),
        "labels": list(checkpoint.labels),
        "weights_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "training_run": dict(checkpoint.training_run),
        "metrics": dict(checkpoint.metrics),
    }
    write_atomically(folder / WEIGHTS_FILE, buffer.getvalue())
    write_atomically(folder / RECORD_FILE, (json.dumps(record, indent=1) + "\n").encode())


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises CheckpointError: missing, damaged, or made by code with other features or labels.
    """
    record, weights = _read_record(folder), _read_weights(folder)
    try:
        spec = FeatureSpec.from_dict(record["feature_spec"])
        checkpoint = Checkpoint(
            network=NetworkConfig(**record["network"]),
            spec=spec,
            mean=tuple(record["mean"]),
            std=tuple(record["std"]),
            weights=weights,
            training_run=record["training_run"],
            metrics=record["metrics"],
        )
        _check(folder, record, checkpoint)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / RECORD_FILE} does not describe a checkpoint: {error!r}") from None
    return checkpoint


def network_from_checkpoint(checkpoint: Checkpoint) -> RespireNetwork:
    """The network with its weights, in evaluation mode. Raises CheckpointError where the two do not fit."""
    network = RespireNetwork(checkpoint.network)
    try:
        network.load_state_dict(dict(checkpoint.weights))
    except RuntimeError as error:
        raise CheckpointError(f"the weights do not fit {checkpoint.network}: {str(error).splitlines()[0]}") from None
    return network.eval()


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a neighbour and rename, so that a kill, or power that fails, leaves the old file or the new one.

    Raises CheckpointError, for example where the disk is full.
    """
    temporary = partial_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from None


def partial_path(path: Path) -> Path:
    """Where `write_atomically` writes first; a kill may leave it."""
    return path.with_name(path.name + ".part")


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a checkpoint folder: it has no {RECORD_FILE}")
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None
    return record


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS_FILE
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} cannot be read as weights: {str(error).splitlines()[0]}") from None
    return weights


def _check(folder: Path, record: Mapping[str, Any], checkpoint: Checkpoint) -> None:
    spec = checkpoint.spec
    if record["labels"] != list(checkpoint.labels):
        raise CheckpointError(f"{folder} has labels {record['labels']}, this code has {list(checkpoint.labels)}")
    if record["feature_fingerprint"] != spec.fingerprint():
        raise CheckpointError(
            f"{folder} was trained on features {record['feature_fingerprint']}, this code makes {spec.fingerprint()}; "
            "train again or use the code version in its training_run"
        )
    found = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    if found != record["weights_sha256"]:
        raise CheckpointError(
            f"{folder / WEIGHTS_FILE} has sha256 {found[:12]}…, {RECORD_FILE} says {record['weights_sha256'][:12]}…; "
            "start the same training command again, it goes on and writes both"
        )
