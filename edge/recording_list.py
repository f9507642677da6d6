"""The recordings that `score` was given: files as they are, folders with all that lies in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import InputError, RecordingError

SUFFIXES = (".wav", ".flac")


def list_recordings(paths: Sequence[Path]) -> tuple[list[Path], list[InputError]]:
    """The files to score, each once, those of a folder sorted; and one error for each folder without any.

    A folder's WAV and FLAC files are taken, those of its subfolders too, hidden ones not. A named file is taken
    whatever its name is.
    """
    files: dict[Path, None] = {}
    errors: list[InputError] = []
    for path in paths:
        found = list(_recordings_in(path)) if path.is_dir() else [path]
        files.update(dict.fromkeys(found))
        if not found:
            errors.append(
                RecordingError(f"{path}: holds no {' or '.join(SUFFIXES)} file; name a folder with recordings")
            )
    return list(files), errors


def _recordings_in(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = sorted(name for name in names if not name.startswith("."))
        yield from (Path(parent, name) for name in visible if name.lower().endswith(SUFFIXES))
