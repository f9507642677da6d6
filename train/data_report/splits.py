"""What the split files of an ICBHI folder make of the recordings in it, read leniently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge.labels import LABELS
from train import paper
from train.errors import DatasetError
from train.icbhi import RecordingName, find_database_file, maybe_recording_name
from train.splits import FOLD_FILE, OFFICIAL_FILE, OFFICIAL_PATIENTS_ON_BOTH_SIDES
from train.tables.annotations import MISNAMED, AnnotatedRecording, class_counts, patients, recordings_by_device

SHOWN = 5
"""Names that a note lists before it only counts."""

T = TypeVar("T")
Recordings = tuple[AnnotatedRecording, ...]


@dataclass(frozen=True)
class Side:
    """The recordings of this folder on one side of a split."""

    name: str
    """Such as `official test`; a fold's is its test side."""
    recordings: Recordings
    published: int | None = None
    """Recordings that the split files put on this side; None where no file says."""

    @property
    def absent(self) -> list[str]:
        """The classes and stethoscopes without a cycle on this side."""
        found = recordings_by_device(self.recordings)
        return self.absent_classes + [device for device in paper.DEVICES if device not in found]

    @property
    def absent_classes(self) -> list[str]:
        """The classes without a cycle on this side."""
        return [name for name, cycles in zip(LABELS, class_counts(self.recordings), strict=True) if not cycles]


@dataclass(frozen=True)
class SplitInventory:
    """One split file beside the recordings of this folder."""

    file: str
    present: bool
    sides: tuple[Side, ...] = ()
    notes: tuple[str, ...] = ()
    """What the file and the folder disagree in; flaws of the file itself."""


def official_inventory(folder: Path, recordings: Recordings) -> SplitInventory:
    """The challenge's 60/40 file: both sides, recordings named and missing, its known flaws."""
    lines, problems = _lines(folder, OFFICIAL_FILE, _official_line)
    if lines is None:
        return SplitInventory(OFFICIAL_FILE, present=False)
    sides = {name.session: side for name, side in lines}
    here = {recording.name.session for recording in recordings}
    unnamed = [_stem(recording.name) for recording in recordings if recording.name.session not in sides]
    missing = [_stem(name) for name, _ in lines if name.session not in here]
    notes = [
        *problems,
        *_listed("recordings that it names are not usable here", missing, len(lines)),
        *_listed("recordings here are not in it, so that --split official stops", unnamed, len(recordings)),
        *_other_devices(lines, recordings),
        *_patients_on_both_sides(lines),
    ]
    found = tuple(
        Side(
            f"official {side}",
            tuple(each for each in recordings if sides.get(each.name.session) == side),
            sum(each == side for each in sides.values()),
        )
        for side in ("train", "test")
    )
    return SplitInventory(OFFICIAL_FILE, True, found, tuple(notes))


def fold_inventory(folder: Path, recordings: Recordings) -> SplitInventory:
    """The authors' patient folds, each with this folder's recordings of its patients."""
    lines, problems = _lines(folder, FOLD_FILE, _fold_line)
    if lines is None:
        return SplitInventory(FOLD_FILE, present=False)
    folds = dict(lines)
    official, _ = _lines(folder, OFFICIAL_FILE, _official_line)
    unnamed = sorted(patients(recordings) - set(folds))
    absent = sorted(set(folds) - patients(recordings))
    notes = [
        *problems,
        *_listed("patients that it names have no usable recording here", absent, len(folds)),
        *_listed("patients here are not in it, so that --split fold-K stops", unnamed, len(patients(recordings))),
    ]
    found = tuple(
        Side(
            f"fold-{fold}",
            tuple(each for each in recordings if folds.get(each.name.patient) == fold),
            sum(folds.get(name.patient) == fold for name, _ in official) if official else None,
        )
        for fold in sorted(set(folds.values()))
    )
    return SplitInventory(FOLD_FILE, True, found, tuple(notes))


def training_side(split: SplitInventory, test: str) -> Side:
    """All recordings of a split but those of the side of that name."""
    others = tuple(each for side in split.sides if side.name != test for each in side.recordings)
    return Side(f"all but {test}", others)


def _lines(folder: Path, file: str, parse: Callable[[list[str]], T | None]) -> tuple[list[T] | None, list[str]]:
    """The parsed lines of a split file, None where there is none; and what could not be parsed."""
    try:
        path = find_database_file(folder, file)
    except DatasetError:
        return None, []
    text = path.read_text(encoding="utf-8", errors="replace")
    parsed = {line: parse(line.split()) for line in text.splitlines() if line.strip()}
    bad = [line for line, value in parsed.items() if value is None]
    found = [value for value in parsed.values() if value is not None]
    return found, _listed("lines cannot be read, so that the split stops", bad, len(parsed))


def _official_line(fields: list[str]) -> tuple[RecordingName, str] | None:
    name = maybe_recording_name(fields[0])
    return (name, fields[1]) if name and len(fields) == 2 and fields[1] in ("train", "test") else None


def _fold_line(fields: list[str]) -> tuple[str, int] | None:
    return (fields[0], int(fields[1])) if len(fields) == 2 and fields[1].isdigit() else None


def _other_devices(lines: Sequence[tuple[RecordingName, str]], recordings: Recordings) -> list[str]:
    """Recordings that the file gives another stethoscope than their own names do."""
    known = {MISNAMED.session: MISNAMED.device}
    devices = {recording.name.session: recording.name.device for recording in recordings} | known
    return [
        f"it names {_stem(name)}, the recording is {_stem(name).removesuffix(name.device)}{devices[name.session]}"
        f"{': a known flaw of the file, passed over' if name.session in known else ''}"
        for name, _ in lines
        if devices.get(name.session, name.device) != name.device
    ]


def _patients_on_both_sides(lines: Sequence[tuple[RecordingName, str]]) -> list[str]:
    train, test = ({name.patient for name, side in lines if side == wanted} for wanted in ("train", "test"))
    known = sorted(train & test & OFFICIAL_PATIENTS_ON_BOTH_SIDES)
    others = sorted((train & test) - OFFICIAL_PATIENTS_ON_BOTH_SIDES)
    notes = [f"patients {', '.join(known)} stand on both sides: a known flaw of the file, kept"] if known else []
    return notes + ([f"patients {', '.join(others)} stand on both sides: the split stops"] if others else [])


def _listed(what: str, found: Sequence[str], of: int) -> list[str]:
    """`3 of 8 WHAT: first, second, third`, if there are any."""
    if not found:
        return []
    dots = ", …" if len(found) > SHOWN else ""
    return [f"{len(found)} of {of} {what}: {', '.join(found[:SHOWN])}{dots}"]


def _stem(name: RecordingName) -> str:
    return "_".join((*name.session, name.device))
