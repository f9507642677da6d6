"""What the annotations of an ICBHI folder hold, counted; no sound is read.

The published database keeps each `.txt` beside its recording. A folder `all_annotations/` beside the audio holds the
`.txt` of all recordings where the audio itself is only a part, and is taken in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.annotations import Cycle, read_annotations
from edge.labels import LABELS
from train.errors import DatasetError
from train.icbhi import (
    FULL_RECORDINGS,
    RecordingName,
    find_audio_folder,
    find_database_file,
    maybe_recording_name,
)
from train.splits import FOLD_FILE

ANNOTATION_FOLDER = "all_annotations"

MISNAMED = RecordingName("226", "1b1", "Pl", "sc", "LittC2SE")
"""The one recording that the official split file gives another stethoscope than its file name,"""
MISNAMED_AS = "Meditron"
"""namely this one."""


@dataclass(frozen=True)
class AnnotatedRecording:
    """The annotated breathing cycles of one recording."""

    name: RecordingName
    cycles: tuple[Cycle, ...]


@dataclass(frozen=True)
class AnnotationSet:
    """All recordings that a folder holds annotations of, by name."""

    folder: Path
    recordings: tuple[AnnotatedRecording, ...]

    @property
    def extent(self) -> str:
        """`full` where all recordings of the published database are annotated, else `subset`."""
        return "full" if len(self.recordings) >= FULL_RECORDINGS else "subset"


def read_annotation_set(folder: Path) -> AnnotationSet:
    """The annotations of an ICBHI folder. Raises DatasetError for a folder without any, edge's AnnotationError."""
    inner = folder / ANNOTATION_FOLDER
    source = inner if inner.is_dir() else find_audio_folder(folder)
    found = {path: maybe_recording_name(path.stem) for path in sorted(source.glob("*.txt"))}
    recordings = tuple(AnnotatedRecording(name, read_annotations(path)) for path, name in found.items() if name)
    if not recordings:
        raise DatasetError(
            f"{source} is not an ICBHI folder: it holds no annotation named like 101_1b1_Al_sc_Meditron.txt; "
            "give the database's root or its audio_and_txt_files folder"
        )
    return AnnotationSet(source, recordings)


def class_counts(recordings: Sequence[AnnotatedRecording]) -> NDArray[np.int64]:
    """Cycles per class, int64 [4] in the order of `LABELS`."""
    labels = [LABELS.index(cycle.label) for recording in recordings for cycle in recording.cycles]
    return np.bincount(np.array(labels, dtype=np.int64), minlength=len(LABELS))


def class_counts_by_device(recordings: Sequence[AnnotatedRecording]) -> dict[str, NDArray[np.int64]]:
    """`class_counts` of each stethoscope, by its token in the file names."""
    return {device: class_counts(own) for device, own in recordings_by_device(recordings).items()}


def patients_by_device(recordings: Sequence[AnnotatedRecording]) -> dict[str, set[str]]:
    """Who was heard through each stethoscope; some patients through two."""
    return {device: patients(own) for device, own in recordings_by_device(recordings).items()}


def patients(recordings: Sequence[AnnotatedRecording]) -> set[str]:
    """Everyone heard in `recordings`."""
    return {recording.name.patient for recording in recordings}


def recordings_by_device(recordings: Sequence[AnnotatedRecording]) -> Mapping[str, list[AnnotatedRecording]]:
    """The recordings of each stethoscope, by its token in the file names."""
    devices = sorted({recording.name.device for recording in recordings})
    return {device: [each for each in recordings if each.name.device == device] for device in devices}


def cycle_lengths_s(recordings: Sequence[AnnotatedRecording]) -> NDArray[np.float64]:
    """The length of every annotated cycle in seconds, float64 [cycles]: the data of the paper's figure 4."""
    return np.array([cycle.end_s - cycle.start_s for recording in recordings for cycle in recording.cycles])


def fold_of_patient(folder: Path) -> dict[str, int]:
    """The authors' five patient folds, from the file in or beside an ICBHI folder. Raises DatasetError."""
    path = find_database_file(folder, FOLD_FILE)
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(len(fields) != 2 or not fields[1].isdigit() for fields in lines):
        raise DatasetError(f"{path}: a line is not `PATIENT FOLD`; copy the file again")
    return {patient: int(fold) for patient, fold in lines}
