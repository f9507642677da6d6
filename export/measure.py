"""A network's probabilities, figures and speed on validation images, through PyTorch, ONNX Runtime or TensorRT."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.engine.plan_source import PlanSource
from edge.engine.tensorrt import open_tensorrt_engine
from export.inference import cycle_probabilities, onnx_probabilities, open_session, torch_probabilities
from export.latency import latency_ms
from export.onnx_metadata import OnnxMetadata
from train.answer_figures import figures_of_answers
from train.answers import answers_from_cycles
from train.checkpoint import WEIGHTS_FILE, Checkpoint, network_from_checkpoint
from train.compare_answers import compare_answers
from train.dataset import EvaluationImages

REFERENCE = "pytorch"


@dataclass(frozen=True, eq=False)
class Measured:
    """One side of the comparison."""

    name: str
    probabilities: Mapping[str, NDArray[np.float32]]
    """Per dataset, [cycles, 4]."""
    bytes: int
    latency: Mapping[str, float]
    sha256: str
    precision: str
    activations: str | None = None


def measure_checkpoint(
    checkpoint: Checkpoint, folder: Path, digest: str, held: Mapping[str, EvaluationImages], repeats: int
) -> Measured:
    """A checkpoint in PyTorch, float32; `digest` is of its weights."""
    network = network_from_checkpoint(checkpoint)
    probabilities = {
        name: cycle_probabilities(torch_probabilities(network, images.images), images.cycle_of_image)
        for name, images in held.items()
    }
    one_image = next(iter(held.values())).images[:1]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        latency = latency_ms(lambda: torch_probabilities(network, one_image), repeats)
    finally:
        torch.set_num_threads(threads)
    return Measured(REFERENCE, probabilities, (folder / WEIGHTS_FILE).stat().st_size, latency, digest, "fp32")


def measure_graph(
    path: Path, metadata: OnnxMetadata, held: Mapping[str, EvaluationImages], repeats: int, name: str = ""
) -> Measured:
    """A graph in ONNX Runtime, called `name` or as its file. Raises GraphError where it cannot be run."""
    session = open_session(path, threads=1)
    probabilities = {
        name: cycle_probabilities(onnx_probabilities(session, images.images), images.cycle_of_image)
        for name, images in held.items()
    }
    one_image = next(iter(held.values())).images[:1]
    return Measured(
        name=name or path.name,
        probabilities=probabilities,
        bytes=path.stat().st_size,
        latency=latency_ms(lambda: onnx_probabilities(session, one_image), repeats),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        precision=metadata.precision,
        activations=metadata.activations,
    )


def measure_plan(source: PlanSource, folder: Path, held: Mapping[str, EvaluationImages], repeats: int) -> Measured:
    """A TensorRT engine that was built on this machine. Raises edge's EngineError where it cannot be opened."""
    path = source.plan_path(folder)
    with open_tensorrt_engine(source, folder) as engine:
        one_image = next(iter(held.values())).images[:1]
        return Measured(
            name=f"tensorrt-{source.precision}",
            probabilities={
                name: cycle_probabilities(engine.infer(images.images), images.cycle_of_image)
                for name, images in held.items()
            },
            bytes=path.stat().st_size,
            latency=latency_ms(lambda: engine.infer(one_image), repeats),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            precision=source.precision,
            activations=source.model.activations,
        )


def entry_from(measured: Measured, reference: Measured, held: Mapping[str, EvaluationImages]) -> dict[str, Any]:
    """What a report says about one of them; differences from the reference are over all probabilities of all cycles.

    `differences`, of all but the reference, are those of its figures, with intervals over patients.
    """
    ours = np.concatenate(list(measured.probabilities.values()))
    theirs = np.concatenate(list(reference.probabilities.values()))
    difference = np.abs(ours - theirs)
    answers, others = (
        {name: answers_from_cycles(images.cycles, each.probabilities[name]) for name, images in held.items()}
        for each in (measured, reference)
    )
    paired = {name: compare_answers([found], [others[name]])["differences"] for name, found in answers.items()}
    return {
        "precision": measured.precision,
        "activations": measured.activations,
        "bytes": measured.bytes,
        "sha256": measured.sha256,
        "latency_ms": dict(measured.latency),
        "max_probability_difference": float(np.max(difference)),
        "mean_probability_difference": float(np.mean(difference)),
        "agreement": float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
        "figures": {name: figures_of_answers(found) for name, found in answers.items()},
        **({} if measured is reference else {"differences": paired}),
    }
