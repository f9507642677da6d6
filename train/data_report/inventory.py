"""Every recording that an ICBHI folder holds, read leniently: what is wrong with one is noted, not raised."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.annotations import Cycle, check_within, read_annotations
from edge.audio.recording import RecordingSource
from edge.errors import AnnotationError, RecordingError
from train.errors import DatasetError
from train.icbhi import AUDIO_SUFFIXES, RecordingName, find_audio_folder, maybe_recording_name
from train.tables.annotations import ANNOTATION_FOLDER, AnnotatedRecording

WITHOUT_AUDIO = "annotations without audio"
WITHOUT_ANNOTATIONS = "audio without annotations"
TWO_FILES = "two audio files"
UNREADABLE_AUDIO = "unreadable audio"
UNREADABLE_ANNOTATIONS = "unreadable annotations"
PAST_THE_END = "annotations past the end of the sound"

STOPPING = frozenset({WITHOUT_AUDIO, UNREADABLE_AUDIO, UNREADABLE_ANNOTATIONS, PAST_THE_END})
"""Kinds of faults at which training stops; the others are passed over."""


@dataclass(frozen=True)
class Sound:
    """What an audio file holds."""

    sample_rate_hz: int
    duration_s: float
    digest: str
    """Of rate and samples: equal for the same sound, whatever the file format."""


@dataclass(frozen=True)
class Fault:
    """Something wrong with one recording."""

    kind: str
    message: str
    """What and where, in one line."""


@dataclass(frozen=True)
class Entry:
    """One recording, or what there is of it."""

    name: RecordingName
    cycles: tuple[Cycle, ...]
    sound: Sound | None
    faults: tuple[Fault, ...]

    @property
    def usable(self) -> bool:
        """Whether it can be trained and tested on."""
        return self.sound is not None and bool(self.cycles) and not any(each.kind in STOPPING for each in self.faults)

    @property
    def stem(self) -> str:
        """Its file name without the ending."""
        return "_".join((*self.name.session, self.name.device))


@dataclass(frozen=True)
class Inventory:
    """What lies in an ICBHI folder."""

    folder: Path
    entries: tuple[Entry, ...]
    """Sorted by file name."""
    all_annotations: int
    """Annotation files in the separate folder that some copies of the database have."""
    strangers: tuple[str, ...]
    """Audio files whose names are not the database's; they are passed over."""

    @property
    def usable(self) -> tuple[Entry, ...]:
        """The recordings that can be trained and tested on."""
        return tuple(entry for entry in self.entries if entry.usable)

    @property
    def annotations(self) -> tuple[AnnotatedRecording, ...]:
        """Of the recordings that can be trained and tested on."""
        return annotated_recordings(self.usable)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything wrong, by recording."""
        return tuple(fault for entry in self.entries for fault in entry.faults)


def take_inventory(folder: Path, progress: Callable[[Sequence[str]], Iterable[str]] = iter) -> Inventory:
    """Read every file of the folder that is named like a recording; `progress` goes through their names.

    Raises DatasetError where there is none.
    """
    audio_folder = find_audio_folder(folder)
    files = [path for path in sorted(audio_folder.iterdir()) if path.suffix in (*AUDIO_SUFFIXES, ".txt")]
    separate = [path for path in (folder / ANNOTATION_FOLDER).glob("*.txt") if maybe_recording_name(path.stem)]
    named = sorted({path.stem for path in files if maybe_recording_name(path.stem)})
    if not named and not separate:
        raise DatasetError(
            f"{audio_folder} is not an ICBHI folder: no file in it is named like 101_1b1_Al_sc_Meditron.wav or .txt; "
            "give the database's root or its audio_and_txt_files folder"
        )
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        by_stem[path.stem].append(path)
    entries = tuple(_entry(stem, by_stem[stem]) for stem in progress(named))
    return Inventory(folder, entries, len(separate), _strangers(audio_folder))


def annotated_recordings(entries: Sequence[Entry]) -> tuple[AnnotatedRecording, ...]:
    """The annotations alone, as the tables count them."""
    return tuple(AnnotatedRecording(entry.name, entry.cycles) for entry in entries)


def duplicates(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Recordings that hold the same sound, sample for sample."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.sound:
            found[entry.sound.digest].append(entry.stem)
    return [tuple(stems) for stems in found.values() if len(stems) > 1]


def _strangers(folder: Path) -> tuple[str, ...]:
    """Sound files that no reader takes: another name than a recording's, or its ending in capitals."""
    sound = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in AUDIO_SUFFIXES]
    taken = {path for path in sound if path.suffix in AUDIO_SUFFIXES and maybe_recording_name(path.stem)}
    return tuple(path.name for path in sound if path not in taken)


def _entry(stem: str, paths: Sequence[Path]) -> Entry:
    name = maybe_recording_name(stem)
    if name is None:
        raise ValueError(f"{stem} is not a recording's name")
    texts = [path for path in paths if path.suffix.lower() == ".txt"]
    audio = [path for path in paths if path not in texts]
    faults = _absent(paths[0].parent / stem, texts, audio)
    cycles, unparsed = _cycles(texts[0]) if texts else ((), ())
    sound, unread = _sound(audio[0]) if audio else (None, ())
    late = _past_the_end(cycles, sound, texts[0]) if sound and texts else ()
    return Entry(name, cycles, sound, (*faults, *unparsed, *unread, *late))


def _absent(path: Path, texts: Sequence[Path], audio: Sequence[Path]) -> tuple[Fault, ...]:
    if not audio:
        return (Fault(WITHOUT_AUDIO, f"{path}.txt has no recording beside it; put {path.name}.wav or .flac there"),)
    if len(audio) > 1:
        return (Fault(TWO_FILES, f"{' and '.join(map(str, audio))} are one recording; keep one of them"),)
    if not texts:
        return (Fault(WITHOUT_ANNOTATIONS, f"{audio[0]} has no {path.name}.txt beside it and is passed over"),)
    return ()


def _cycles(path: Path) -> tuple[tuple[Cycle, ...], tuple[Fault, ...]]:
    try:
        return read_annotations(path), ()
    except AnnotationError as error:
        return (), (Fault(UNREADABLE_ANNOTATIONS, str(error)),)


def _sound(path: Path) -> tuple[Sound | None, tuple[Fault, ...]]:
    """Every sample is decoded: a header says nothing about what follows it."""
    digest, samples = hashlib.sha256(), 0
    try:
        with RecordingSource(path) as source:
            for block in source.blocks():
                digest.update(block.samples.tobytes())
                samples += len(block.samples)
    except RecordingError as error:
        return None, (Fault(UNREADABLE_AUDIO, str(error)),)
    digest.update(str(source.sample_rate_hz).encode())
    return Sound(source.sample_rate_hz, samples / source.sample_rate_hz, digest.hexdigest()), ()


def _past_the_end(cycles: Sequence[Cycle], sound: Sound, path: Path) -> tuple[Fault, ...]:
    try:
        check_within(cycles, sound.duration_s, path)
    except AnnotationError as error:
        return (Fault(PAST_THE_END, str(error)),)
    return ()
