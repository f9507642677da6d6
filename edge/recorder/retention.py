"""Which recordings of a folder are kept: none that is too old, and no more than a limit in all. Oldest ones go first.

Files are known by their names alone, `respire-<UTC to the minute>-<random session id>-<number>.<ending>`; whatever has
another name, or is no regular file, is neither counted nor touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.recorder.growing_wave import is_being_written

SOUND_SUFFIX, SIDECAR_SUFFIX = ".wav", ".json"
PARTIAL_SUFFIX = ".partial"
"""Of a sidecar on its way to be one."""
NAME = re.compile(r"(respire-(\d{8}T\d{4})Z-([0-9a-f]{16})-(\d{4,6}))(\.wav|\.json|\.json\.partial)")
TIME_FORMAT = "%Y%m%dT%H%M"
GIGABYTE = 10**9


@dataclass(frozen=True)
class Retention:
    """How much is kept."""

    max_age_days: float = 7.0
    """Long enough to look at last week's sound, short for something that tells about a person's health."""
    max_bytes: int = 8 * GIGABYTE
    """A day of a sound card's 44.1 kHz."""
    min_free_bytes: int = GIGABYTE // 2
    """What is left free for everything else on a small computer's card."""


@dataclass(frozen=True)
class KeptRecording:
    """All files of one stem: the sound and its sidecar."""

    stem: str
    order: tuple[datetime, str, int]
    """When it was begun (UTC, to the minute), its session, its number: sorts oldest first."""
    files: tuple[Path, ...]
    total_bytes: int


def stem_from_start(begun: datetime, session_id: str, number: int) -> str:
    """The name, without its ending, of a session's `number`-th file, begun at a UTC time."""
    return f"respire-{begun.strftime(TIME_FORMAT)}Z-{session_id}-{number:04d}"


def list_recordings_kept(folder: Path) -> list[KeptRecording]:
    """The recordings that this program made in `folder`, oldest first. Raises OSError."""
    sizes: dict[str, dict[Path, int]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if (match := NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # another program prunes the same folder
                    sizes.setdefault(match[1], {})[Path(entry.path)] = entry.stat(follow_symlinks=False).st_size
    found = (_maybe_kept(stem, files) for stem, files in sizes.items())
    return sorted((kept for kept in found if kept is not None), key=lambda kept: kept.order)


def prune(folder: Path, retention: Retention, now: datetime, reserved_bytes: int = 0) -> list[str]:
    """Remove recordings until none is too old and all, with `reserved_bytes` to come, fit. Returns the stems removed.

    One that is being written, by whatever program, is counted and stays. Raises OSError.
    """
    kept = list_recordings_kept(folder)
    total_bytes = reserved_bytes + sum(recording.total_bytes for recording in kept)
    removed = []
    for recording in kept:
        if _age_days(recording, now) <= retention.max_age_days and total_bytes <= retention.max_bytes:
            continue
        if not _is_being_written(recording.files):
            _remove(recording.files)
            total_bytes -= recording.total_bytes
            removed.append(recording.stem)
    return removed


def _maybe_kept(stem: str, sizes: dict[Path, int]) -> KeptRecording | None:
    match = NAME.fullmatch(f"{stem}{SOUND_SUFFIX}")
    if match is None:
        return None
    try:
        begun = datetime.strptime(match[2], TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:  # a thirteenth month: not a name of ours
        return None
    return KeptRecording(stem, (begun, match[3], int(match[4])), tuple(sizes), sum(sizes.values()))


def _age_days(recording: KeptRecording, now: datetime) -> float:
    return (now - recording.order[0]) / timedelta(days=1)


def _is_being_written(files: Iterable[Path]) -> bool:
    sounds = [path for path in files if path.suffix == SOUND_SUFFIX]
    with suppress(FileNotFoundError):
        return any(is_being_written(path) for path in sounds)
    return False


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
