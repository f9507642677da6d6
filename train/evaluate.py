"""Figures of a checkpoint on one side of a split: `python -m train.evaluate --model CKPT --data DIR --split NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from train.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint
from train.config import Protocol
from train.cycles import Cycle, CycleStore, LoadCycles, read_cycles
from train.data import READERS, extent, folders_from_arguments, patients
from train.dataset import EvaluationPadding, evaluation_images
from train.distributed import accelerator
from train.errors import SplitError, TrainError
from train.loop import predict
from train.metrics import abnormal_auc, confusion_matrix, scores_from_confusion
from train.recording import Recording
from train.run_folder import write_json
from train.splits import split_recordings
from train.task import cycles_for, labels_of


def figures(cycles: Sequence[Cycle], probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """Score, Se, Sp and the rest over all cycles and per device; `probabilities` is [len(cycles), classes]."""
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
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), probabilities.shape[1])
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


def evaluate(
    checkpoint: Checkpoint,
    recordings: Sequence[Recording],
    load: LoadCycles = read_cycles,
    padding: EvaluationPadding = "repetition",
) -> dict[str, Any]:
    """Figures of a checkpoint on recordings, by the labels of its task.

    `padding="smart"` is the published protocol's, and leaks: it reads the labels that are asked for. Raises SplitError
    where the recordings hold no annotated cycle.
    """
    cycles = cycles_for(checkpoint.task, load(recordings, checkpoint.spec))
    if not cycles:
        raise SplitError("this side of the split has no annotated cycle; choose another --split")
    images = evaluation_images(cycles, checkpoint.spec, padding=padding, progress=True)
    network = network_from_checkpoint(checkpoint).to(accelerator())
    return figures(cycles, predict(network, images))


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
    parser.add_argument(
        "--protocol",
        choices=get_args(Protocol),
        default="patientwise",
        help="published: also with the paper's smart padding of test windows, which reads their labels and so leaks"
        " (default: %(default)s)",
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
    store = CycleStore()
    published = arguments.protocol == "published"
    leaking = evaluate(checkpoint, chosen, store.load, padding="smart") if published else None
    return {
        "model": str(arguments.model),
        "protocol": arguments.protocol,
        "dataset": dataset,
        "extent": extent(dataset, recordings),
        "split": arguments.split,
        "recordings": len(chosen),
        "patients_trained_on": len(set(patients(chosen)) & trained_on),
        **evaluate(checkpoint, chosen, store.load),
        "leaking_figures": leaking,
    }


def text_from_report(report: dict[str, Any]) -> str:
    """The figures as a table for a terminal."""
    title = f"{report['dataset']} ({report['extent']}), split {report['split']}, {report['recordings']} recordings"
    if report["patients_trained_on"]:
        title += f"; {report['patients_trained_on']} of these patients were trained on"
    lines = [title, f"{'':12}{'Score':>7}{'Se':>7}{'Sp':>7}{'AUC':>7}{'cycles':>8}{'patients':>10}"]
    lines += [_row(name, row) for name, row in {"all": report, **report["devices"]}.items()]
    if report.get("leaking_figures"):
        lines.append(_row("*leaking", report["leaking_figures"]) + "   * test windows padded by their labels")
    labels = labels_of(len(report["confusion"]))
    lines += ["", "true \\ said  " + "".join(f"{name:>9}" for name in labels)]
    matrix = zip(labels, report["confusion"], strict=True)
    lines += [f"{name:13}" + "".join(f"{count:9}" for count in counts) for name, counts in matrix]
    return "\n".join(lines)


def _row(name: str, row: dict[str, Any]) -> str:
    shown = [row["score"], row["sensitivity"], row["specificity"], row["abnormal_auc"]]
    cells = "".join(f"{'-' if value is None else f'{100 * value:.1f}':>7}" for value in shown)
    return f"{name:12}{cells}{row['cycles']:8}{row['patients']:10}"


if __name__ == "__main__":
    raise SystemExit(main())
