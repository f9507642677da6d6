"""The recordings that `score` was given: files as they are, folders with all that lies in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from edge.errors import InputError, RecordingError

SUFFIXES = (".wav", ".flac")


Unlisted: TypeAlias = tuple[Path, InputError]
"""What was asked for and why it holds nothing to score."""


def list_recordings(paths: Sequence[Path]) -> tuple[list[Path], list[Unlisted]]:
    """The files to score, each once, those of a folder sorted; and each folder without any, or that cannot be read.

    A folder's WAV and FLAC files are taken, those of its subfolders too, hidden ones and folders that are links not: a
    link may lead back, or to all of the disk. A named file is taken whatever its name is. Of several names of one file,
    whether links or ways to it, the first is taken.
    """
    files: dict[str, Path] = {}
    errors: list[Unlisted] = []
    for path in paths:
        before = len(errors)
        found = list(_recordings_in(path, errors)) if _is_folder(path) else [path]
        for file in found:
            files.setdefault(os.path.realpath(file), file)
        if not found and len(errors) == before:
            error = f"{path}: holds no {' or '.join(SUFFIXES)} file; name a folder with recordings"
            errors.append((path, RecordingError(error)))
    return list(files.values()), errors


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a folder above it may not be entered: opening it as a recording will say so
        return False


def _recordings_in(folder: Path, errors: list[Unlisted]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        path = Path(error.filename)
        errors.append((path, RecordingError(f"{path}: cannot be read ({error.strerror}); check its permissions")))

    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = sorted(name for name in names if not name.startswith("."))
        yield from (Path(parent, name) for name in visible if name.lower().endswith(SUFFIXES))
