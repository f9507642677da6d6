"""Reader of the ICBHI 2017 respiratory sound database (Rocha et al., 2019), whole or in part, WAV or FLAC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.annotations import read_annotations
from edge.labels import LABELS
from train.errors import DatasetError
from train.recording import Annotation, Recording

FULL_RECORDINGS = 920
"""Recordings in the published database; a folder with fewer is a subset and every figure from it says so."""

AUDIO_SUFFIXES = (".wav", ".flac")

AUDIO_FOLDERS = ("audio_and_txt_files", "ICBHI_final_database")
"""What the folder of recordings is called in the copies that go round; any other is taken where it is given itself."""
MAX_NESTING = 2
"""Folders between the given one and those: Kaggle's copy holds `Respiratory_Sound_Database` in another of that name."""

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

    `folder` as `find_audio_folder` takes it.
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
    silent = [path for path in texts if _audio_beside(path) is None]
    if silent:
        more = f" (the first of {len(silent)} such files)" if len(silent) > 1 else ""
        raise DatasetError(f"{silent[0]} has no recording beside it{more}; put {silent[0].stem}.wav or .flac there")
    return [_read_recording(path) for path in texts]


def find_audio_folder(folder: Path) -> Path:
    """The folder with the audio and its `.txt` files: one of `AUDIO_FOLDERS` inside `folder`, or `folder` itself.

    Raises DatasetError where there is no folder, and where several different sets of recordings lie equally deep.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give the ICBHI root or its audio_and_txt_files folder")
    for depth in range(MAX_NESTING + 1):
        inner = sorted(path for name in AUDIO_FOLDERS for path in folder.glob("*/" * depth + name) if path.is_dir())
        if inner:
            _check_alike(folder, inner)
            return inner[0]
        if depth == 0 and any(maybe_recording_name(path.stem) for path in folder.glob("*.txt")):
            return folder
    return folder


def find_database_file(folder: Path, name: str) -> Path:
    """A file that the database keeps beside its audio folder, such as the official split. Raises DatasetError.

    Looked for in the audio folder, in every folder from there up to the given one, and beside that.
    """
    audio_folder = find_audio_folder(folder) if folder.is_dir() else folder
    between = [place for place in audio_folder.parents if place.is_relative_to(folder)]
    for place in (audio_folder, *between, folder.parent):
        if (place / name).is_file():
            return place / name
    raise DatasetError(f"{name} is neither in {folder} nor beside it; copy it there from the ICBHI database")


def _check_alike(folder: Path, inner: Sequence[Path]) -> None:
    """Kaggle's archive holds everything twice, which does not matter; two different sets would be a guess."""
    if len({frozenset(path.name for path in each.iterdir()) for each in inner}) > 1:
        listed = " and ".join(str(path) for path in inner[:2])
        raise DatasetError(f"{folder} holds more than one set of ICBHI recordings, {listed}; give one of them")


def _audio_beside(text_path: Path) -> Path | None:
    audio_paths = (text_path.with_suffix(suffix) for suffix in AUDIO_SUFFIXES)
    return next((path for path in audio_paths if path.is_file()), None)


def _read_recording(text_path: Path) -> Recording:
    name, audio_path = maybe_recording_name(text_path.stem), _audio_beside(text_path)
    if name is None or audio_path is None:
        raise DatasetError(f"{text_path} is no annotated recording any more; keep the folder as it is while it is read")
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
