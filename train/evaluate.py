"""Figures of a checkpoint on one side of a split: `python -m train.evaluate --model CKPT --data DIR --split NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.labels import LABELS
from train.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint
from train.cycles import Cycle, load_cycles
from train.data import READERS, extent, folders_from_arguments, patients
from train.dataset import evaluation_images
from train.errors import SplitError, TrainError
from train.loop import predict
from train.metrics import abnormal_auc, confusion_matrix, scores_from_confusion
from train.recording import Recording
from train.run_folder import write_json
from train.splits import split_recordings


def figures(cycles: Sequence[Cycle], probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """Score, Se, Sp and the rest over all cycles and per device; `probabilities` is [len(cycles), 4]."""
    devices = sorted({cycle.device for cycle in cycles})
    chosen = {device: np.array([cycle.device == device for cycle in cycles]) for device in devices}
    labels = np.array([cycle.label for cycle in cycles], dtype=np.int64)
    people = np.array([cycle.patient for cycle in cycles])
    return {
        **_figures(labels, people, probabilities),
        "devices": {device: _figures(labels[at], people[at], probabilities[at]) for device, at in chosen.items()},
    }


def _figures(
    labels: NDArray[np.int64], people: NDArray[np.str_], probabilities: NDArray[np.floating]
) -> dict[str, Any]:
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1))
    scores = scores_from_confusion(matrix)
    return {
        "score": _rounded(scores.score),
        "sensitivity": _rounded(scores.sensitivity),
        "specificity": _rounded(scores.specificity),
        "abnormal_auc": _rounded(abnormal_auc(labels, probabilities)),
        "cycles": len(labels),
        "patients": len(set(people.tolist())),
        "confusion": matrix.tolist(),
    }


def _rounded(value: float) -> float | None:
    # JSON has no NaN: a figure without a cycle to measure it on is null.
    return None if np.isnan(value) else round(value, 4)


def evaluate(checkpoint: Checkpoint, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Figures of a checkpoint on recordings. Raises SplitError where they hold no annotated cycle."""
    cycles = load_cycles(recordings, checkpoint.spec, progress=True)
    if not cycles:
        raise SplitError("this side of the split has no annotated cycle; choose another --split")
    images = evaluation_images(cycles, checkpoint.spec, progress=True)
    return figures(cycles, predict(network_from_checkpoint(checkpoint), images))


def select_recordings(
    recordings: Sequence[Recording], split: str, folder: Path, checkpoint: Checkpoint, dataset: str
) -> list[Recording]:
    """The recordings that `--split` names. Raises SplitError.

    `validation`: of the patients that the run held back; `unseen`: of all that it did not train on; `all`; a part of
    the dataset such as `intra`; or the test side of a split.
    """
    sides = checkpoint.training_run.get("patients", {}).get(dataset, {})
    if split == "validation":
        held = set(sides.get("validation", ()))
        return [recording for recording in recordings if recording.patient in held]
    if split == "unseen":
        return [recording for recording in recordings if recording.patient not in set(sides.get("training", ()))]
    if split in {recording.subset for recording in recordings if recording.subset}:
        return [recording for recording in recordings if recording.subset == split]
    if split == "all":
        return list(recordings)
    return list(split_recordings(recordings, split, folder).test)


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.evaluate`."""
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="CKPT", help="checkpoint folder")
    parser.add_argument("--data", required=True, metavar="[NAME=]DIR", help="icbhi=DIR (default) or sprsound=DIR")
    parser.add_argument(
        "--split",
        default="validation",
        help="validation (patients that the run held back), unseen (all that it did not train on), all, a part of"
        " SPRSound such as intra, or the test side of official, fold-K, kfold-K-of-N (default: %(default)s)",
    )
    parser.add_argument("--unseen-only", action="store_true", help="leave out patients that the run was trained on")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures here")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        report = _report(arguments)
    except (TrainError, EdgeError) as error:
        print(f"train.evaluate: {error}", file=sys.stderr)
        return 2
    print(text_from_report(report))
    if arguments.report:
        write_json(arguments.report, report)
    return 0


def _report(arguments: argparse.Namespace) -> dict[str, Any]:
    dataset = arguments.data.partition("=")[0] if "=" in arguments.data else "icbhi"
    folder = folders_from_arguments([arguments.data], [dataset if dataset in READERS else "icbhi"])[dataset]
    checkpoint = load_checkpoint(arguments.model)
    recordings = READERS[dataset](folder)
    chosen = select_recordings(recordings, arguments.split, folder, checkpoint, dataset)
    trained_on = set(checkpoint.training_run.get("patients", {}).get(dataset, {}).get("training", ()))
    if arguments.unseen_only:
        chosen = [recording for recording in chosen if recording.patient not in trained_on]
    return {
        "model": str(arguments.model),
        "dataset": dataset,
        "extent": extent(dataset, recordings),
        "split": arguments.split,
        "recordings": len(chosen),
        "patients_trained_on": len(set(patients(chosen)) & trained_on),
        **evaluate(checkpoint, chosen),
    }


def text_from_report(report: dict[str, Any]) -> str:
    """The figures as a table for a terminal."""
    title = f"{report['dataset']} ({report['extent']}), split {report['split']}, {report['recordings']} recordings"
    if report["patients_trained_on"]:
        title += f"; {report['patients_trained_on']} of these patients were trained on"
    lines = [title, f"{'':12}{'Score':>7}{'Se':>7}{'Sp':>7}{'AUC':>7}{'cycles':>8}{'patients':>10}"]
    lines += [_row(name, row) for name, row in {"all": report, **report["devices"]}.items()]
    lines += ["", "true \\ said  " + "".join(f"{name:>9}" for name in LABELS)]
    matrix = zip(LABELS, report["confusion"], strict=True)
    lines += [f"{name:13}" + "".join(f"{count:9}" for count in counts) for name, counts in matrix]
    return "\n".join(lines)


def _row(name: str, row: dict[str, Any]) -> str:
    shown = [row["score"], row["sensitivity"], row["specificity"], row["abnormal_auc"]]
    cells = "".join(f"{'-' if value is None else f'{100 * value:.1f}':>7}" for value in shown)
    return f"{name:12}{cells}{row['cycles']:8}{row['patients']:10}"


if __name__ == "__main__":
    raise SystemExit(main())
