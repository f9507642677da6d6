"""How much of the published ICBHI database a folder holds, in words: for reports, and a command's first line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from train.errors import DatasetError, SplitError
from train.icbhi import AUDIO_SUFFIXES, FULL_RECORDINGS, find_audio_folder, find_database_file, maybe_recording_name
from train.recording import Recording
from train.splits import FOLD_FILE, OFFICIAL_FILE, Session, official_sides, patient_folds


def coverage(
    dataset: str, split: str, recordings: Sequence[Recording], chosen: Sequence[Recording], folder: Path
) -> str:
    """Such as `test side 305 of 381 recordings`, for the recordings `chosen` by `split` out of all of a folder's.

    The official file names every published recording, and with the fold file says how many each fold has. Other splits
    are made of what is there: `folder 844 of 920 recordings`. Empty for a set whose published size is not known here.
    """
    if dataset != "icbhi":
        return ""
    published = _published_test_side(split, folder)
    if published is None:
        return f"folder {len(recordings)} of {FULL_RECORDINGS} recordings"
    return f"test side {len(chosen)} of {published} recordings"


def found_line(dataset: str, recordings: Sequence[Recording], folder: Path) -> str:
    """One line on what a dataset folder holds and lacks. Raises DatasetError as `find_audio_folder`."""
    if dataset != "icbhi":
        parts = Counter(recording.subset for recording in recordings)
        listed = ", ".join(f"{part} {count}" for part, count in sorted(parts.items()) if part)
        return f"{dataset}: {len(recordings)} recordings in {folder}" + (f" ({listed})" if listed else "")
    audio_folder = find_audio_folder(folder)
    return "; ".join(
        [
            f"icbhi: {len(recordings)} of {FULL_RECORDINGS} recordings in {audio_folder}",
            _official_words(recordings, folder),
            *([] if _maybe_file(folder, FOLD_FILE) else [f"no {FOLD_FILE}, which --split fold-K needs"]),
            *_passed_over(recordings, audio_folder),
        ]
    )


def _published_test_side(split: str, folder: Path) -> int | None:
    """How many recordings the split's files put on its test side; None where no file says."""
    official = _official(folder)
    fold_file = _maybe_file(folder, FOLD_FILE)
    if official and split == "official":
        return sum(side == "test" for side in official.values())
    if official and fold_file and split.startswith("fold-"):
        folds = patient_folds(fold_file)
        return sum(folds.get(patient) == int(split.removeprefix("fold-")) for patient, *_ in official)
    return None


def _official_words(recordings: Sequence[Recording], folder: Path) -> str:
    if not _maybe_file(folder, OFFICIAL_FILE):
        return f"no {OFFICIAL_FILE}, which --split official needs"
    sides = _official(folder)
    if sides is None:
        return f"{OFFICIAL_FILE} cannot be read"
    names = [maybe_recording_name(recording.name) for recording in recordings]
    here, published = Counter(sides.get(name.session) for name in names if name), Counter(sides.values())
    unnamed = f", not named {here[None]}" if here[None] else ""
    training, test = (f"{here[side]} of {published[side]}" for side in ("train", "test"))
    return f"official split: training {training}, test {test}{unnamed}"


def _passed_over(recordings: Sequence[Recording], audio_folder: Path) -> list[str]:
    annotated = {recording.name for recording in recordings}
    stems = {path.stem for path in audio_folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES}
    left = len(stems - annotated)
    return [f"passed over {left} sound files without annotations"] if left else []


def _official(folder: Path) -> dict[Session, str] | None:
    path = _maybe_file(folder, OFFICIAL_FILE)
    try:
        return official_sides(path) if path else None
    except SplitError:
        # A split that needs the file stops at it by itself, and names the line.
        return None


def _maybe_file(folder: Path, name: str) -> Path | None:
    try:
        return find_database_file(folder, name)
    except DatasetError:
        return None
