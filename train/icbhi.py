"""Reader of the ICBHI 2017 respiratory sound database (Rocha et al., 2019), whole or in part, WAV or FLAC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.annotations import read_annotations
from edge.labels import LABELS
from train.errors import DatasetError
from train.recording import Annotation, Recording

FULL_RECORDINGS = 920
"""Recordings in the published database; a folder with fewer is a subset and every figure from it says so."""

AUDIO_SUFFIXES = (".wav", ".flac")

_NAME = re.compile(r"(?P<patient>\d{3})_(?P<index>[^_]+)_(?P<location>[^_]+)_(?P<mode>[^_]+)_(?P<device>[^_]+)")


@dataclass(frozen=True)
class RecordingName:
    """What `PATIENT_INDEX_LOCATION_MODE_DEVICE` says, for example `101_1b1_Al_sc_Meditron`."""

    patient: str
    index: str
    location: str
    mode: str
    device: str

    @property
    def session(self) -> tuple[str, str, str, str]:
        """All but the device, which the official split file gives wrongly for one recording."""
        return self.patient, self.index, self.location, self.mode


def maybe_recording_name(stem: str) -> RecordingName | None:
    """The parsed file name, or None for one that does not follow the database's pattern."""
    match = _NAME.fullmatch(stem)
    return RecordingName(**match.groupdict()) if match else None


def read_icbhi(folder: Path) -> list[Recording]:
    """Every annotated recording of an ICBHI folder, sorted by name.

    `folder` is the database's root, with `audio_and_txt_files/` inside, or that audio folder itself.
    Raises DatasetError: not an ICBHI folder, an annotation file without its audio; edge's AnnotationError: a line that
    is not `start end crackle wheeze`.
    """
    audio_folder = find_audio_folder(folder)
    texts = sorted(path for path in audio_folder.glob("*.txt") if maybe_recording_name(path.stem))
    if not texts:
        raise DatasetError(
            f"{audio_folder} is not an ICBHI folder: it holds no annotation named like 101_1b1_Al_sc_Meditron.txt; "
            "give the database's root or its audio_and_txt_files folder"
        )
    return [_read_recording(path) for path in texts]


def find_audio_folder(folder: Path) -> Path:
    """The folder with the audio and its `.txt` files, for the root of the database or that folder itself."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give the ICBHI root or its audio_and_txt_files folder")
    inner = folder / "audio_and_txt_files"
    return inner if inner.is_dir() else folder


def find_database_file(folder: Path, name: str) -> Path:
    """A file that the database keeps beside its audio folder, such as the official split. Raises DatasetError."""
    for place in (folder, folder.parent):
        if (place / name).is_file():
            return place / name
    raise DatasetError(f"{name} is neither in {folder} nor beside it; copy it there from the ICBHI database")


def _read_recording(text_path: Path) -> Recording:
    name = maybe_recording_name(text_path.stem)
    audio_paths = [text_path.with_suffix(suffix) for suffix in AUDIO_SUFFIXES]
    audio_path = next((path for path in audio_paths if path.is_file()), None)
    if name is None or audio_path is None:
        raise DatasetError(f"{text_path} has no recording beside it; put {text_path.stem}.wav or .flac there")
    return Recording(
        name=text_path.stem,
        audio_path=audio_path,
        dataset="icbhi",
        subset="",
        patient=name.patient,
        device=name.device,
        annotations=tuple(
            Annotation(cycle.start_s, cycle.end_s, LABELS.index(cycle.label)) for cycle in read_annotations(text_path)
        ),
    )
