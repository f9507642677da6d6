"""Who is trained on and who is tested: always whole patients.

Split names: `all` (no test side), `official` (ICBHI's 60/40 file), `fold-K` (the five patient folds that the paper's
authors released; fold 4 is their 80/20 test side), `kfold-K-of-N` (any N folds, balanced by device and class), `train`
(SPRSound's own parts).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.labels import LABELS
from train.errors import DatasetError, SplitError
from train.icbhi import find_database_file, maybe_recording_name
from train.recording import Recording

OFFICIAL_FILE = "ICBHI_challenge_train_test.txt"
FOLD_FILE = "patient_list_foldwise.txt"

OFFICIAL_PATIENTS_ON_BOTH_SIDES = frozenset({"156", "218"})
"""A flaw of the official file, kept so that figures stay comparable with everyone else's."""

_CANDIDATES = 200
"""Random draws of patients of which the best balanced is taken."""


T = TypeVar("T")
Session = tuple[str, str, str, str]
"""A recording's name but for the stethoscope: patient, index, location, mode."""
ClassCounts = Mapping[str, NDArray[np.int64]]
"""Annotations per class, [4], by patient."""


@dataclass(frozen=True)
class Sides:
    """The two sides of a split; raises SplitError naming the patients that stand on both."""

    training: tuple[Recording, ...]
    test: tuple[Recording, ...]
    shared_by_design: frozenset[str] = frozenset()
    """Patients whom the dataset's publishers put on both sides, and who are let pass."""

    def __post_init__(self) -> None:
        both = {recording.patient for recording in self.training} & {recording.patient for recording in self.test}
        if both - self.shared_by_design:
            raise SplitError(f"patients on both sides of the split: {', '.join(sorted(both - self.shared_by_design))}")


def split_recordings(recordings: Sequence[Recording], split: str, folder: Path) -> Sides:
    """The split of that name; `folder` is the dataset's, where its split files lie. Raises SplitError, DatasetError."""
    if split == "all":
        return Sides(tuple(recordings), ())
    if split == "train":
        return published_parts(recordings)
    if split == "official":
        return official_split(recordings, _split_file(folder, OFFICIAL_FILE, split))
    if match := re.fullmatch(r"fold-(\d+)", split):
        return released_fold(recordings, _split_file(folder, FOLD_FILE, split), int(match[1]))
    if match := re.fullmatch(r"kfold-(\d+)-of-(\d+)", split):
        return patient_fold(recordings, int(match[1]), int(match[2]))
    raise SplitError(f"unknown split {split!r}; known are all, official, fold-K, kfold-K-of-N and train")


def official_split(recordings: Sequence[Recording], path: Path) -> Sides:
    """The challenge's 60/40 split. Only its own two patients may stand on both sides."""
    sides = official_sides(path)
    missing = [recording.name for recording in recordings if _session(recording) not in sides]
    if missing:
        raise SplitError(f"{path} does not name {', '.join(missing[:3])} ({len(missing)} in all)")
    return _sides(
        recordings, lambda recording: sides[_session(recording)] == "test", shared=OFFICIAL_PATIENTS_ON_BOTH_SIDES
    )


def official_sides(path: Path) -> dict[Session, str]:
    """`train` or `test` for every recording that the official file names. Raises SplitError."""
    sides = {}
    for line in _lines(path):
        fields = line.split()
        name = maybe_recording_name(fields[0])
        if len(fields) != 2 or fields[1] not in ("train", "test") or name is None:
            raise SplitError(f"{path}: {line!r} is not `RECORDING train|test`")
        sides[name.session] = fields[1]
    return sides


def published_parts(recordings: Sequence[Recording]) -> Sides:
    """SPRSound's `train` part against its others, which share patients with it: `intra` has only such."""
    everyone = frozenset(recording.patient for recording in recordings)
    return _sides(recordings, lambda recording: recording.subset != "train", shared=everyone)


def released_fold(recordings: Sequence[Recording], path: Path, fold: int) -> Sides:
    """The authors' fold file, `patient fold` a line, with the patients of one fold as the test side."""
    folds = patient_folds(path)
    if fold not in folds.values():
        raise SplitError(f"{path} has no fold {fold}; it has {sorted(set(folds.values()))}")
    missing = sorted({recording.patient for recording in recordings} - set(folds))
    if missing:
        raise SplitError(f"{path} does not name patients {', '.join(missing)}")
    return _sides(recordings, lambda recording: folds[recording.patient] == fold)


def patient_folds(path: Path) -> dict[str, int]:
    """The fold of every patient in the authors' file. Raises SplitError."""
    folds = {}
    for line in _lines(path):
        fields = line.split()
        if len(fields) != 2 or not fields[1].isdecimal():
            raise SplitError(f"{path}: {line!r} is not `PATIENT FOLD`")
        folds[fields[0]] = int(fields[1])
    return folds


def patient_fold(recordings: Sequence[Recording], fold: int, folds: int) -> Sides:
    """One of `folds` patient-wise folds as the test side; each device's patients are spread evenly over the folds."""
    if not 0 <= fold < folds:
        raise SplitError(f"fold {fold} of {folds} does not exist; folds count from 0")
    fold_of_patient: dict[str, int] = {}
    for offset, (_, patients) in enumerate(sorted(_patients_by_device(recordings).items())):
        fold_of_patient |= _balanced_deal(_class_counts(recordings, patients), folds, offset)
    return _sides(recordings, lambda recording: fold_of_patient[recording.patient] == fold)


def hold_out_patients(recordings: Sequence[Recording], share: float) -> Sides:
    """About `share` of each device's patients on the test side, balanced by class.

    The same recordings always give the same patients, whatever the seed of the run, so that a later stage cannot
    validate on patients that an earlier one learnt from.
    """
    held: set[str] = set()
    for patients in _patients_by_device(recordings).values():
        held |= _balanced_pick(_class_counts(recordings, patients), share)
    return _sides(recordings, lambda recording: recording.patient in held)


def _sides(
    recordings: Sequence[Recording], is_test: Callable[[Recording], bool], shared: frozenset[str] = frozenset()
) -> Sides:
    return Sides(
        tuple(recording for recording in recordings if not is_test(recording)),
        tuple(recording for recording in recordings if is_test(recording)),
        shared,
    )


def _split_file(folder: Path, name: str, split: str) -> Path:
    """Raises DatasetError with what else can be done: re-packings of the database leave its split files out."""
    try:
        return find_database_file(folder, name)
    except DatasetError as error:
        raise DatasetError(f"split {split}: {error}, or take --split kfold-0-of-5, which needs no file") from None


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.splitlines() if line.strip()]


def _session(recording: Recording) -> Session:
    name = maybe_recording_name(recording.name)
    if name is None:
        raise SplitError(f"{recording.name} is not an ICBHI recording; the official split is ICBHI's")
    return name.session


def _patients_by_device(recordings: Sequence[Recording]) -> dict[str, list[str]]:
    """Each patient once, under the device that most of his recordings come from."""
    devices: dict[str, Counter[str]] = defaultdict(Counter)
    for recording in recordings:
        devices[recording.patient][recording.device] += 1
    grouped: dict[str, list[str]] = defaultdict(list)
    for patient in sorted(devices):
        grouped[devices[patient].most_common(1)[0][0]].append(patient)
    return dict(grouped)


def _class_counts(recordings: Sequence[Recording], patients: Collection[str]) -> ClassCounts:
    counts = {patient: np.zeros(len(LABELS), dtype=np.int64) for patient in patients}
    for recording in recordings:
        if recording.patient in counts:
            for annotation in recording.annotations:
                counts[recording.patient][annotation.label] += 1
    return counts


def _best(draw: Callable[[Generator], T], badness: Callable[[T], float]) -> T:
    rng = np.random.default_rng(0)
    return min((draw(rng) for _ in range(_CANDIDATES)), key=badness)


def _balanced_pick(counts: ClassCounts, share: float) -> set[str]:
    patients, size = list(counts), round(share * len(counts))

    def pick(rng: Generator) -> set[str]:
        return {patients[position] for position in rng.permutation(len(patients))[:size]}

    return _best(pick, lambda picked: _share_error(picked, counts, share))


def _balanced_deal(counts: ClassCounts, folds: int, offset: int) -> dict[str, int]:
    patients = list(counts)

    def deal(rng: Generator) -> dict[str, int]:
        order = rng.permutation(len(patients))
        return {patients[position]: (place + offset) % folds for place, position in enumerate(order)}

    return _best(deal, lambda dealt: _fold_imbalance(dealt, counts, folds))


def _share_error(picked: Collection[str], counts: ClassCounts, share: float) -> float:
    totals = np.sum(list(counts.values()), axis=0)
    held = np.sum([counts[patient] for patient in picked], axis=0) if picked else np.zeros_like(totals)
    present = totals > 0
    return float(np.abs(held[present] / totals[present] - share).sum())


def _fold_imbalance(deal: Mapping[str, int], counts: ClassCounts, folds: int) -> float:
    members = [[patient for patient in deal if deal[patient] == fold] for fold in range(folds)]
    return sum(_share_error(patients, counts, 1 / folds) for patients in members)
