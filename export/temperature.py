"""Command: the temperature that calibrates a graph's probabilities, fitted on the patients held back from training.

`python -m export.temperature --onnx FILE --data icbhi=DIR --data sprsound=DIR --output FILE.json`

Three candidates: none (1), fitted on the held-back cycles of the graph's own stethoscope, or on all of them (for the
common model these are the same). Taken is what does best on the own cycles, each patient judged by a fit without them:
with few patients a fit may be worse than none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import COMMON_MODEL
from edge.errors import EdgeError
from edge.profiles import load_profile
from export.calibrate import training_datasets
from export.errors import ExportError, GraphError
from export.inference import cycle_probabilities, onnx_probabilities, open_session
from export.onnx_metadata import load_model
from export.reliability import (
    Answers,
    calibration_error,
    fit_temperature,
    left_out_likelihood,
    negative_log_likelihood,
)
from export.staging import staged_file
from export.validation import Validation, validation_images
from train.data import folders_from_arguments
from train.errors import TrainError

NONE, OWN, POOLED = "none", "own", "pooled"
DIGITS = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        report = temperature(arguments.onnx, arguments.data)
        with staged_file(arguments.output) as partial:
            partial.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except (ExportError, TrainError, EdgeError) as error:
        print(f"temperature: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {describe(report)}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.temperature", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="the graph that most devices run")
    parser.add_argument("--data", action="append", required=True, metavar="[NAME=]DIR", help="icbhi=DIR, sprsound=DIR")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.json", help="for export.pack")
    return parser


def temperature(graph: Path, data: Sequence[str]) -> dict[str, Any]:
    """The report, plain JSON values. Raises GraphError, DatasetError, SplitError, edge's ProfileError."""
    _, metadata = load_model(graph)
    folders = folders_from_arguments(data, training_datasets(metadata.training_run))
    held = validation_images(metadata.training_run, metadata.spec, folders)
    answers = _answers(graph, held)
    own = _own_cycles(held, metadata.device)
    if not own.any():
        raise GraphError(
            f"{graph}: is for {metadata.device}, of which no held-back patient was recorded; pack it without"
        )
    return {
        **choose_temperature(answers, own),
        "onnx": {"file": graph.name, "sha256": hashlib.sha256(graph.read_bytes()).hexdigest()},
        "data": dict(held.described),
    }


def choose_temperature(answers: Answers, own: NDArray[np.bool_]) -> dict[str, Any]:
    """The candidate that does best on the cycles `own`, bool [n], with all that speaks for and against it."""
    everything = np.ones_like(own)
    sides = {OWN: own} if own.all() else {OWN: own, POOLED: everything}
    fitted = {NONE: 1.0, **{name: round(fit_temperature(answers.of(side)), DIGITS) for name, side in sides.items()}}
    before = negative_log_likelihood(answers.of(own))
    judged = {NONE: before, **{name: left_out_likelihood(answers, own, side) for name, side in sides.items()}}
    possible = {name: value for name, value in judged.items() if value is not None}
    chosen = min(possible, key=lambda name: possible[name])
    side = sides.get(chosen, own)
    return {
        "value": fitted[chosen],
        "fitted_on": chosen,
        "patients": len(np.unique(answers.patients[side])),
        "cycles": int(side.sum()),
        "candidates": {
            name: {"value": value, "left_out_nll": _rounded(judged[name])} for name, value in fitted.items()
        },
        "own": {
            "patients": len(np.unique(answers.patients[own])),
            "cycles": int(own.sum()),
            "before": _figures(answers.of(own)),
            "after": _figures(answers.of(own).calibrated(fitted[chosen])),
        },
    }


def describe(report: Mapping[str, Any]) -> str:
    """One line for people."""
    before, after = report["own"]["before"], report["own"]["after"]
    return (
        f"temperature {report['value']:g} ({report['fitted_on']}); on {report['own']['cycles']} cycles of "
        f"{report['own']['patients']} patients NLL {before['nll']:.3f} -> {after['nll']:.3f}, "
        f"ECE {before['ece']:.3f} -> {after['ece']:.3f}"
    )


def _answers(graph: Path, held: Validation) -> Answers:
    session = open_session(graph)
    probabilities = [
        cycle_probabilities(onnx_probabilities(session, images.images), images.cycle_of_image)
        for images in held.images.values()
    ]
    cycles = [cycle for images in held.images.values() for cycle in images.cycles]
    return Answers(
        np.concatenate(probabilities).astype(np.float64),
        np.array([cycle.label for cycle in cycles], dtype=np.int64),
        np.array([f"{cycle.dataset}/{cycle.patient}" for cycle in cycles]),
    )


def _own_cycles(held: Validation, device: str) -> NDArray[np.bool_]:
    token = None if device == COMMON_MODEL else load_profile(device).icbhi_token
    cycles = [cycle for images in held.images.values() for cycle in images.cycles]
    return np.array([token in (None, cycle.device) for cycle in cycles], dtype=np.bool_)


def _figures(answers: Answers) -> dict[str, float]:
    return {
        "nll": round(negative_log_likelihood(answers), DIGITS),
        "ece": round(calibration_error(answers), DIGITS),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


if __name__ == "__main__":
    raise SystemExit(main())
