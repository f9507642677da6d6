"""Files and folders that appear whole under their final name or not at all, whenever the process is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import ExportError, PackError


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """A path to write to beside `path`; renamed to it when the block ends without an error, removed otherwise.

    Raises ExportError where the disk refuses, with nothing left behind.
    """
    with staged_files(path) as partials:
        yield partials[0]


@contextmanager
def staged_files(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Paths to write files to that belong together, each as `staged_file`.

    All of them are whole on the disk before the first takes its final name. Raises ExportError.
    """
    partials = tuple(_sibling(path, "partial") for path in paths)
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield partials
        for partial in partials:
            _flush_to_disk(partial)
        for partial, path in zip(partials, paths, strict=True):
            partial.replace(path)
    except OSError as error:
        raise ExportError(f"{paths[0]}: cannot be written ({error}); free space or choose another") from error
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for what libraries hand over as files, gone when the block ends. Raises ExportError as the others."""
    try:
        with tempfile.TemporaryDirectory(prefix="respire-export-") as folder:
            yield Path(folder)
    except OSError as error:
        where = tempfile.gettempdir()
        raise ExportError(f"{where}: cannot be written ({error}); free space there or set TMPDIR") from error


@contextmanager
def staged_folder(path: Path, marker: str) -> Iterator[Path]:
    """An empty folder beside `path`; takes its place when the block ends without an error, removed otherwise.

    An existing folder is replaced only if it holds a file named `marker`, so that a mistyped name destroys nothing.
    Between taking the old folder away and putting the new one in its place, neither has the final name; the next call
    puts the old one back. Raises PackError.
    """
    partial, previous = _sibling(path, "partial"), _sibling(path, "previous")
    try:
        _prepare(path, partial, previous, marker)
        yield partial
        for file in sorted(partial.rglob("*")):
            if file.is_file():
                _flush_to_disk(file)
        if path.exists():
            path.rename(previous)
        partial.rename(path)
    except OSError as error:
        raise PackError(f"{path}: cannot be written ({error}); free space or choose another") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)


def _prepare(path: Path, partial: Path, previous: Path, marker: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if previous.exists() and not path.exists():
        previous.rename(path)
    if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not (path / marker).is_file())):
        raise PackError(f"{path}: exists and holds no {marker}; choose an empty or a new folder")
    for stale in (partial, previous):
        shutil.rmtree(stale, ignore_errors=True)
    partial.mkdir()


def _sibling(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{role}")


def _flush_to_disk(path: Path) -> None:
    # Without it a power cut may keep the rename and lose the content.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
