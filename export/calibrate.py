"""Command: images of training recordings, balanced by class and stethoscope, to measure a quantised graph's ranges on.

`python -m export.calibrate --checkpoint FOLDER --data icbhi=DIR --data sprsound=DIR --output FILE.npz`

Only patients that the checkpoint was trained on are used: figures on validation patients would otherwise flatter.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from tqdm import tqdm

from edge.labels import LABELS
from edge.signal.image import image_from_window
from edge.signal.spec import FeatureSpec
from edge.signal.windows import windows_from_cycle
from export.calibration import Calibration, check_sufficient, save_calibration
from export.errors import CalibrationError, ExportError
from train.checkpoint import Checkpoint, load_checkpoint
from train.cycles import cut_recording
from train.data import READERS, folders_from_arguments
from train.errors import TrainError
from train.recording import Recording

DEFAULT_IMAGES = 512
TRAINING_SUBSETS = ("", "train")
"""Parts of a dataset that are trained on; ICBHI has no parts."""


@dataclass(frozen=True)
class Choice:
    """One annotated cycle that was chosen."""

    recording: Recording
    index: int
    """Position among the recording's annotations."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        checkpoint = load_checkpoint(arguments.checkpoint)
        folders = folders_from_arguments(arguments.data, training_datasets(checkpoint.training_run))
        recordings = training_recordings(checkpoint, folders, arguments.stethoscope)
        choices = choose_cycles(recordings, arguments.images, np.random.default_rng(arguments.seed))
        check_sufficient([choice.recording.name for choice in choices], arguments.output)
        calibration = calibration_from_cycles(choices, checkpoint.spec, arguments.seed)
        save_calibration(arguments.output, calibration)
    except (ExportError, TrainError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {describe(calibration)}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m export.calibrate", description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="its training patients and its features are used"
    )
    parser.add_argument("--data", action="append", required=True, metavar="[NAME=]DIR", help="icbhi=DIR, sprsound=DIR")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument(
        "--stethoscope",
        metavar="TOKEN",
        help="only recordings of this one, by its token in ICBHI's file names: for a model of its own",
    )
    parser.add_argument("--images", type=int, default=DEFAULT_IMAGES, help="at most this many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of cycles (default: %(default)s)")
    return parser


def training_datasets(training_run: Mapping[str, Any]) -> list[str]:
    """Names of the datasets that a checkpoint learnt from. Raises CalibrationError where its record does not say."""
    sides: Mapping[str, Any] = training_run.get("patients", {})
    names = [name for name in READERS if sides.get(name, {}).get("training")]
    if not names:
        raise CalibrationError("the checkpoint does not name its training patients; train it with train.run")
    return names


def training_recordings(
    checkpoint: Checkpoint, folders: Mapping[str, Path], stethoscope: str | None = None
) -> list[Recording]:
    """Annotated recordings of the training side, of patients that are on no other side; of one stethoscope where named.

    Raises DatasetError; CalibrationError for a stethoscope that nothing was recorded with.
    """
    recordings = []
    for name in training_datasets(checkpoint.training_run):
        allowed = calibration_patients(name, checkpoint.training_run["patients"][name])
        found = READERS[name](folders[name])
        recordings += [
            each for each in found if each.patient in allowed and each.subset in TRAINING_SUBSETS and each.annotations
        ]
    chosen = [each for each in recordings if stethoscope in (None, each.device)]
    if recordings and not chosen:
        known = ", ".join(sorted({each.device for each in recordings}))
        raise CalibrationError(f"no training recording of {stethoscope!r}; there are recordings of {known}")
    return chosen


def calibration_patients(dataset: str, sides: Mapping[str, Sequence[str]]) -> set[str]:
    """Patients that were trained on and are neither validated nor tested on.

    The official ICBHI split has two patients on both sides, which are left out. SPRSound's `intra` part is of training
    patients by design, so there the part decides, not the patient.
    """
    allowed = set(sides["training"]) - set(sides["validation"])
    return allowed - set(sides["test"]) if dataset == "icbhi" else allowed


def choose_cycles(recordings: Sequence[Recording], count: int, rng: Generator) -> list[Choice]:
    """`count` cycles, dealt in turn from every (dataset, stethoscope, class) until it is used up.

    They come in the order of the recordings.
    """
    groups: dict[tuple[str, str, int], list[Choice]] = defaultdict(list)
    for recording in recordings:
        for index, annotation in enumerate(recording.annotations):
            groups[recording.dataset, recording.device, annotation.label].append(Choice(recording, index))
    shuffled = [[group[position] for position in rng.permutation(len(group))] for _, group in sorted(groups.items())]
    longest = max(map(len, shuffled), default=0)
    dealt = [group[turn] for turn in range(longest) for group in shuffled if turn < len(group)][:count]
    order = {recording.audio_path: place for place, recording in enumerate(recordings)}
    return sorted(dealt, key=lambda choice: (order[choice.recording.audio_path], choice.index))


def calibration_from_cycles(choices: Sequence[Choice], spec: FeatureSpec, seed: int) -> Calibration:
    """One image of each cycle, as the device would make it; `seed` is for the record. Raises DatasetError."""
    wanted: dict[Recording, set[int]] = defaultdict(set)
    for choice in choices:
        wanted[choice.recording].add(choice.index)
    images, owners = [], []
    for recording, indices in tqdm(wanted.items(), desc="calibration", unit="file", disable=None):
        found = _images(recording, indices, spec)
        images += found
        owners += [f"{recording.dataset}/{recording.name}"] * len(found)
    return Calibration(np.stack(images), spec.fingerprint(), tuple(owners), _provenance(choices, seed))


def describe(calibration: Calibration) -> str:
    """One line for a terminal."""
    counts = calibration.provenance["cycles"]
    groups = "; ".join(f"{device} {sum(by_class.values())}" for device, by_class in counts.items())
    return f"{len(calibration.images)} images of {len(set(calibration.recordings))} recordings ({groups})"


def _images(recording: Recording, indices: set[int], spec: FeatureSpec) -> list[NDArray[np.uint8]]:
    cycles = [cycle for cycle in cut_recording(recording, spec) if cycle.index in indices]
    return [image_from_window(windows_from_cycle(cycle.samples, spec)[0], spec) for cycle in cycles]


def _provenance(choices: Sequence[Choice], seed: int) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for choice in choices:
        recording = choice.recording
        counts[f"{recording.dataset}/{recording.device}"][LABELS[recording.annotations[choice.index].label]] += 1
    return {
        "side": "training patients of the checkpoint",
        "seed": seed,
        "patients": len({(choice.recording.dataset, choice.recording.patient) for choice in choices}),
        "cycles": {device: dict(sorted(counts[device].items())) for device in sorted(counts)},
    }


if __name__ == "__main__":
    raise SystemExit(main())
