"""Command: a checkpoint and the graphs made from it on the same validation cycles; exit code 1 where they part.

`python -m export.compare --checkpoint FOLDER --onnx FILE… --data icbhi=DIR --data sprsound=DIR --report FILE.json`
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.calibrate import training_datasets
from export.errors import ExportError, GraphError
from export.latency import machine
from export.measure import REFERENCE, entry_from, measure_checkpoint, measure_graph
from export.onnx_metadata import OnnxMetadata, load_model
from export.staging import staged_file
from train.checkpoint import WEIGHTS_FILE, Checkpoint, load_checkpoint
from train.cycles import load_cycles
from train.data import READERS, extent, folders_from_arguments, patients
from train.dataset import EvaluationImages, evaluation_images
from train.errors import SplitError, TrainError
from train.evaluate import select_recordings

SCHEMA = 1
SIDE = "validation"
"""The patients that the training run held back. The epoch was selected on them, so they say what quantisation costs
rather than how good the model is."""


@dataclass(frozen=True)
class Thresholds:
    """What a graph may differ by before the exit code says so."""

    max_score_drop: float = 0.5
    """Points of Score, per dataset; quantised graphs."""
    min_agreement: float = 0.98
    """Share of cycles with the same decision; quantised graphs."""
    max_probability_difference: float = 1e-4
    """Float graphs."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 within the thresholds, 1 beyond them, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        report = compare(
            arguments.checkpoint,
            arguments.onnx,
            arguments.data,
            Thresholds(arguments.max_score_drop, arguments.min_agreement),
            arguments.repeats,
        )
        print(text_from_report(report))
        if arguments.report:
            write_report(arguments.report, report)
    except (ExportError, TrainError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    return 0 if not report["objections"] else 1


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    default = Thresholds()
    parser = argparse.ArgumentParser(prog="python -m export.compare", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="the reference, in PyTorch float32")
    parser.add_argument("--onnx", type=Path, nargs="+", required=True, metavar="FILE", help="graphs made from it")
    parser.add_argument("--data", action="append", required=True, metavar="[NAME=]DIR", help="icbhi=DIR, sprsound=DIR")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures here, for export.pack")
    parser.add_argument(
        "--max-score-drop", type=float, default=default.max_score_drop, help="points (default: %(default)s)"
    )
    parser.add_argument("--min-agreement", type=float, default=default.min_agreement, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=100, help="timed calls per graph (default: %(default)s)")
    return parser


def compare(
    checkpoint_folder: Path, graphs: Sequence[Path], data: Sequence[str], thresholds: Thresholds, repeats: int
) -> dict[str, Any]:
    """The report. Raises CheckpointError, GraphError, DatasetError, SplitError."""
    checkpoint = load_checkpoint(checkpoint_folder)
    digest = hashlib.sha256((checkpoint_folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    opened = {path: _metadata(path, digest, checkpoint_folder) for path in graphs}
    held, described = _validation_images(checkpoint, folders_from_arguments(data, training_datasets(checkpoint)))
    reference = measure_checkpoint(checkpoint, checkpoint_folder, digest, held, repeats)
    measured = [reference, *(measure_graph(path, metadata, held, repeats) for path, metadata in opened.items())]
    models = {found.name: entry_from(found, reference, held) for found in measured}
    objections = [
        text for name, entry in models.items() for text in objections_to(name, entry, models[REFERENCE], thresholds)
    ]
    return {"schema": SCHEMA, "data": described, "machine": machine(), "models": models, "objections": objections}


def objections_to(
    name: str, entry: Mapping[str, Any], reference: Mapping[str, Any], thresholds: Thresholds
) -> list[str]:
    """Why a graph must not be released, one line each; empty where it may."""
    if entry["precision"] != "int8":
        difference = entry["max_probability_difference"]
        within = difference <= thresholds.max_probability_difference
        return (
            []
            if within
            else [f"{name}: probabilities differ by {difference:.1e} > {thresholds.max_probability_difference:.0e}"]
        )
    found = []
    if entry["agreement"] < thresholds.min_agreement:
        found.append(f"{name}: agrees in {entry['agreement']:.2%} of cycles < {thresholds.min_agreement:.2%}")
    for dataset, held in entry["figures"].items():
        drop = _points(reference["figures"][dataset]["score"]) - _points(held["score"])
        if drop > thresholds.max_score_drop:
            found.append(f"{name}: Score on {dataset} falls by {drop:.2f} points > {thresholds.max_score_drop:.2f}")
    return found


def text_from_report(report: Mapping[str, Any]) -> str:
    """The report for a terminal."""
    lines = [
        f"{name} ({held['extent']}): {held['cycles']} cycles of {held['patients']} {held['side']} patients"
        for name, held in report["data"].items()
    ]
    lines += [f"{report['machine']['processor']}, one thread, one image at a time", "", _heading(report["data"])]
    lines += [_row(name, entry) for name, entry in report["models"].items()]
    return "\n".join([*lines, *("", *report["objections"])] if report["objections"] else lines)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """As JSON, whole or not at all. Raises ExportError."""
    with staged_file(path) as partial:
        partial.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _metadata(path: Path, checkpoint_sha256: str, folder: Path) -> OnnxMetadata:
    _, metadata = load_model(path)
    if metadata.checkpoint_sha256 != checkpoint_sha256:
        raise GraphError(
            f"{path}: was exported from weights {metadata.checkpoint_sha256[:12]}…, {folder} holds "
            f"{checkpoint_sha256[:12]}…; export it again from this checkpoint"
        )
    return metadata


def _validation_images(
    checkpoint: Checkpoint, folders: Mapping[str, Path]
) -> tuple[dict[str, EvaluationImages], dict[str, Any]]:
    held, described = {}, {}
    for name, folder in folders.items():
        recordings = READERS[name](folder)
        chosen = [found for found in select_recordings(recordings, SIDE, folder, checkpoint, name) if found.annotations]
        if not chosen:
            continue
        cycles = load_cycles(chosen, checkpoint.spec, progress=True)
        held[name] = evaluation_images(cycles, checkpoint.spec)
        described[name] = {
            "extent": extent(name, recordings),
            "side": SIDE,
            "recordings": len(chosen),
            "patients": len(patients(chosen)),
            "cycles": len(cycles),
        }
    if not held:
        raise SplitError(
            "none of the checkpoint's validation patients is in the --data folders; give the folders it was trained on"
        )
    return held, described


def _heading(data: Mapping[str, Any]) -> str:
    sets = "".join(f"{f'{name} Score/Se/Sp':>22}" for name in data)
    return f"{'':16}{'max diff':>10}{'mean diff':>11}{'agree %':>9}{sets}{'MB':>7}{'p50 ms':>8}{'p95 ms':>8}"


def _row(name: str, entry: Mapping[str, Any]) -> str:
    sets = "".join(
        f"{'/'.join(_shown(held[key]) for key in ('score', 'sensitivity', 'specificity')):>22}"
        for held in entry["figures"].values()
    )
    return (
        f"{name:16}{entry['max_probability_difference']:10.1e}{entry['mean_probability_difference']:11.1e}"
        f"{100 * entry['agreement']:9.2f}{sets}{entry['bytes'] / 1e6:7.1f}"
        f"{entry['latency_ms']['p50']:8.2f}{entry['latency_ms']['p95']:8.2f}"
    )


def _shown(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _points(share: float | None) -> float:
    # A side without cycles has no Score; it then cannot fall.
    return 0.0 if share is None else 100 * share


if __name__ == "__main__":
    raise SystemExit(main())
