"""Whole recordings heard without cycle marks, as `respire-edge listen` does, beside the same with the marks given.

`python -m train.evaluate_streams --data icbhi=DIR --folds runs/cross/seed-0`: each patient by the networks of a
cross-validation (`train.cross_validate --fine-tune`) that never heard them. Without `--folds`: the bundles, on the
patients held back from them. Everything but the network is the device's: windows, quality, calibration, events.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from edge.breath_events import EventRules
from edge.bundle import Bundle, find_bundle, load_bundle
from edge.checksums import MANIFEST_NAME
from edge.engine.engine import open_engine
from edge.errors import EdgeError
from edge.operating_point import OperatingPoint, chosen_point
from edge.pipeline import Classifier
from edge.profiles import profile_from_icbhi_token
from train.checkpoint import load_checkpoint
from train.data import READERS, extent, folders_from_arguments
from train.errors import SplitError, TrainError
from train.event_figures import event_figures
from train.heard import HeardRecording, hear
from train.network_engine import NetworkEngine
from train.recording import Recording
from train.run_folder import write_json
from train.splits import patient_fold
from train.stream_figures import CycleDecision, cycle_decisions, decision_figures
from train.stream_report import text_from_report
from train.two_stages import COMMON

DATASET = "icbhi"
CHOSEN_ON, MEASURED_ON, HELD_BACK = "chosen on", "measured on", "held back"
"""The first half of a cross-validation's folds is where rules may be chosen, the second where they are measured."""
RULES: Mapping[str, EventRules] = {
    "as listen": EventRules(),
    "each window alone": EventRules(close_probability=0.5, patience_windows=0, min_duration_s=0),
    "opening at 0.4": EventRules(open_probability=0.4),
    "opening at 0.6": EventRules(open_probability=0.6),
}
"""Of models without operating points."""
RULES_AT_POINTS: Mapping[str, EventRules] = {
    "as listen": EventRules(),
    "each window alone": EventRules(open_margin=0, close_margin=0, patience_windows=0, min_duration_s=0),
    "opening at the threshold": EventRules(open_margin=0),
    "opening 0.2 above it": EventRules(open_margin=0.2),
}
"""Of models with one; `train.event_figures` adds each recording's threshold."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        report = evaluate_streams(arguments)
    except (TrainError, EdgeError) as error:
        print(f"train.evaluate_streams: {error}", file=sys.stderr)
        return 2
    print(text_from_report(report))
    if arguments.report:
        write_json(arguments.report, report)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate_streams",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, metavar="[icbhi=]DIR")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a folder of bundles (default: the released ones)")
    parser.add_argument("--folds", type=Path, metavar="DIR", help="one seed of a cross-validation, with its fold-K")
    parser.add_argument("--hop", type=float, default=1.0, metavar="SECONDS", help="default: %(default)s")
    parser.add_argument(
        "--breath", type=float, metavar="SECONDS", help="windows of so much sound, repeated as short cycles are"
    )
    points = parser.add_mutually_exclusive_group()
    points.add_argument("--operating-point", metavar="NAME", help="of the bundles (default: their own)")
    points.add_argument(
        "--abnormal-threshold", type=_threshold, metavar="SHARE", help="call abnormal what is at least so likely to be"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures here")
    return parser


def evaluate_streams(arguments: argparse.Namespace) -> dict[str, Any]:
    """The report, plain JSON values. Raises TrainError, edge's EdgeError."""
    folder = folders_from_arguments([arguments.data], [DATASET])[DATASET]
    recordings = READERS[DATASET](folder)
    pairs = list(_by_folds(recordings, arguments) if arguments.folds else _by_bundles(recordings, arguments))
    if not pairs:
        raise SplitError(f"{folder}: no recording of a patient whom the bundles were not trained on; give more data")
    heard: dict[str, list[HeardRecording]] = {}
    for side, recording, classifier in tqdm(pairs, desc="listening", unit="file", disable=None):
        heard.setdefault(side, []).append(hear(recording, classifier, arguments.hop, arguments.breath))
    everything = [each for part in heard.values() for each in part]
    windows = [window for each in everything for window in each.windows]
    rules_by_name = RULES_AT_POINTS if any(each.abnormal_threshold for each in everything) else RULES
    return {
        "dataset": DATASET,
        "extent": extent(DATASET, recordings),
        "answered_by": str(arguments.folds or arguments.model or "the released bundles"),
        "hop_s": arguments.hop,
        "breath_s": arguments.breath,
        "abnormal_thresholds": sorted({each.abnormal_threshold for each in everything if each.abnormal_threshold}),
        "windows": len(windows),
        "refused_windows": sum(not window.quality.ok for window in windows),
        "cycles": {title: decision_figures(part) for title, part in _cycle_groups(heard).items()},
        "events": {
            title: {name: event_figures(part, rules) for name, rules in rules_by_name.items()}
            for title, part in _groups(heard).items()
        },
    }


def _by_folds(
    recordings: Sequence[Recording], arguments: argparse.Namespace
) -> Iterator[tuple[str, Recording, Classifier]]:
    """Each recording with the networks of the fold that tests its patient, under the bundle's other settings."""
    folds = len(list(arguments.folds.glob("fold-*")))
    if not folds:
        raise SplitError(f"{arguments.folds}: holds no fold-0; give one seed of a run of train.cross_validate")
    for fold in range(folds):
        side = CHOSEN_ON if fold < folds // 2 else MEASURED_ON
        classifiers = _Classifiers(arguments, arguments.folds / f"fold-{fold}")
        for recording in patient_fold(recordings, fold, folds).test:
            yield side, recording, classifiers.of(recording)


def _by_bundles(
    recordings: Sequence[Recording], arguments: argparse.Namespace
) -> Iterator[tuple[str, Recording, Classifier]]:
    """Each recording of a patient whom its stethoscope's bundle was not trained on."""
    classifiers = _Classifiers(arguments)
    for recording in recordings:
        classifier = classifiers.of(recording)
        manifest = json.loads((classifier.bundle.folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        if recording.patient not in _trained_on(manifest["training_run"], classifier.bundle.folder):
            yield HELD_BACK, recording, classifier


class _Classifiers:
    """One for each stethoscope, opened when it is first asked for."""

    def __init__(self, arguments: argparse.Namespace, fold: Path | None = None) -> None:
        """Of the bundles asked for, or with the networks in `fold` in their place."""
        self._arguments, self._fold = arguments, fold
        self._opened: dict[str, Classifier] = {}

    def of(self, recording: Recording) -> Classifier:
        """Raises CheckpointError, SplitError, edge's EdgeError."""
        if recording.device not in self._opened:
            self._opened[recording.device] = self._open(recording)
        return self._opened[recording.device]

    def _open(self, recording: Recording) -> Classifier:
        profile = profile_from_icbhi_token(recording.device)
        bundle = load_bundle(find_bundle(profile, self._arguments.model, os.environ))
        point = self._point(bundle)
        if self._fold is None:
            return Classifier(profile, bundle, open_engine(bundle, "onnx"), operating_point=point)
        own = self._fold / recording.device / "last"
        checkpoint = load_checkpoint(own if own.is_dir() else self._fold / COMMON / "last")
        if recording.patient in _trained_on(checkpoint.training_run, self._fold):
            raise SplitError(f"{self._fold}: was trained on patient {recording.patient}; it is of other folds or data")
        return Classifier(profile, bundle, NetworkEngine(checkpoint, bundle), operating_point=point)

    def _point(self, bundle: Bundle) -> OperatingPoint | None:
        threshold = self._arguments.abnormal_threshold
        if threshold is not None:
            return OperatingPoint(f"threshold {threshold:g}", threshold)
        return chosen_point(bundle.operating_points, self._arguments.operating_point, bundle.model_id)


def _threshold(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _trained_on(training_run: Mapping[str, Any], where: Path) -> set[str]:
    patients = training_run.get("patients", {}).get(DATASET, {}).get("training")
    if not patients:
        raise SplitError(f"{where}: does not say on whom it was trained, so nobody is known to be new to it")
    return set(patients)


def _groups(heard: Mapping[str, Sequence[HeardRecording]]) -> dict[str, list[HeardRecording]]:
    """All, each side where there are two, and each stethoscope."""
    everything = [recording for part in heard.values() for recording in part]
    devices = sorted({recording.device for recording in everything})
    return {
        "all": everything,
        **({side: list(part) for side, part in heard.items()} if len(heard) > 1 else {}),
        **{device: [recording for recording in everything if recording.device == device] for device in devices},
    }


def _cycle_groups(heard: Mapping[str, Sequence[HeardRecording]]) -> dict[str, list[CycleDecision]]:
    """As `_groups`, and whether the cycles beside are of the same class."""
    groups = {
        title: [decision for recording in part for decision in cycle_decisions(recording)]
        for title, part in _groups(heard).items()
    }
    mixed, uniform = ([each for each in groups["all"] if each.mixed == wanted] for wanted in (True, False))
    groups |= {"beside another class": mixed, "among their own": uniform}
    return {title: decisions for title, decisions in groups.items() if decisions}


if __name__ == "__main__":
    raise SystemExit(main())
