"""Command: thresholds on the abnormal probability, chosen from what networks said of patients they never heard.

`python -m export.operating_points --answers FILE.npz [FILE.npz ...] [--temperature FILE.json] --output FILE.json`

Answers are those of `train.cross_validate` (OUT/seed-N/answers-STAGE.npz); several files are pooled, such as several
seeds. The temperature is the one of the bundle that the points are for (`export.temperature`). `balanced` has the
highest four-class Score, `sensitive` calls at least 80 % of the abnormal cycles abnormal, `specific` at least 95 % of
the normal cycles normal.
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

from edge.labels import LABELS
from export.errors import ExportError, OperatingPointError
from export.reliability import Answers
from export.staging import staged_file
from export.threshold_choice import BALANCED, POINTS, choose_thresholds, figures_at, held_out_figures
from train.answers import Answers as FileOfAnswers
from train.answers import read_answers
from train.errors import TrainError


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        report = operating_points(arguments.answers, read_temperature(arguments.temperature))
        with staged_file(arguments.output) as partial:
            partial.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except (ExportError, TrainError) as error:
        print(f"operating_points: {error}", file=sys.stderr)
        return 2
    print(text_from_report(report))
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.operating_points",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--answers", type=Path, nargs="+", required=True, metavar="FILE.npz", help="out-of-fold answers"
    )
    parser.add_argument(
        "--temperature", type=Path, metavar="FILE.json", help="report of export.temperature (default: not calibrated)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.json", help="for export.pack")
    return parser


def operating_points(paths: Sequence[Path], temperature: float) -> dict[str, Any]:
    """What a manifest holds under `operating_points`, plain JSON values. Raises AnswersError, OperatingPointError."""
    files = [read_answers(path) for path in paths]
    for path, file in zip(paths, files, strict=True):
        if file.probabilities.shape[1] != len(LABELS):
            raise OperatingPointError(
                f"{path}: answers with {file.probabilities.shape[1]} classes; give those of {len(LABELS)}"
            )
    answers = pooled(files).calibrated(temperature)
    held_out = held_out_figures(answers)
    points = {
        name: {
            "abnormal_threshold": threshold,
            "figures": {**figures_at(answers, threshold), "held_out": held_out.get(name)},
        }
        for name, threshold in choose_thresholds(answers).items()
    }
    return {"default": BALANCED, "points": points, "chosen_on": _described(paths, files, temperature)}


def pooled(files: Sequence[FileOfAnswers]) -> Answers:
    """All answers together, not calibrated; a patient of two datasets is two."""
    return Answers(
        np.concatenate([file.probabilities.astype(np.float64) for file in files]),
        np.concatenate([file.labels for file in files]),
        np.concatenate([np.char.add(f"{file.dataset}/", file.patients) for file in files]),
    )


def read_temperature(path: Path | None) -> float:
    """The value in a report of `export.temperature`; 1 without one. Raises OperatingPointError."""
    if path is None:
        return 1.0
    try:
        value = json.loads(path.read_text(encoding="utf-8"))["value"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatingPointError(
            f"{path}: cannot be read as a temperature ({error}); make it with export.temperature"
        ) from None
    if type(value) not in (int, float) or not value > 0:
        raise OperatingPointError(f"{path}: {value!r} is no temperature; make it with export.temperature")
    return float(value)


def text_from_report(report: Mapping[str, Any]) -> str:
    """A table for a terminal, in percent."""
    lines = [f"{'point':12}{'threshold':>10}{'Se/Sp, two classes':>22}{'Score/Se/Sp, four classes':>28}"]
    for name in POINTS:
        point = report["points"][name]
        two, four = point["figures"]["two_class"], point["figures"]["four_class"]
        cells = "/".join(f"{100 * two[key]:.1f}" for key in ("sensitivity", "specificity"))
        exact = "/".join(f"{100 * four[key]:.1f}" for key in ("score", "sensitivity", "specificity"))
        lines.append(f"{name:12}{point['abnormal_threshold']:10.4f}{cells:>22}{exact:>28}")
    return "\n".join(lines)


def _described(paths: Sequence[Path], files: Sequence[FileOfAnswers], temperature: float) -> dict[str, Any]:
    devices = np.concatenate([file.devices for file in files])
    cycles = {
        (file.dataset, recording, index)
        for file in files
        for recording, index in zip(file.recordings.tolist(), file.index.tolist(), strict=True)
    }
    return {
        "answers": [
            {"file": path.name, "dataset": file.dataset, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path, file in zip(paths, files, strict=True)
        ],
        "cycles": len(cycles),
        "patients": len(np.unique(pooled(files).patients)),
        "answers_by_device": {str(name): int((devices == name).sum()) for name in np.unique(devices)},
        "temperature": temperature,
    }


if __name__ == "__main__":
    raise SystemExit(main())
