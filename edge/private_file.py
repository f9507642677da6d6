"""Files that only their owner may read: results and recordings tell about a person's health."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any

PRIVATE_MODE = 0o600


def open_private(path: Path, mode: str = "w", **text: Any) -> IO[Any]:
    """`path.open(mode, **text)`, readable and writable by its owner alone, also where the file was there before.

    What is no regular file, such as a named pipe or /dev/stdout, keeps its permissions. Raises OSError as `open` does.
    """
    # Path.open takes no opener, with which the file is never readable for others, not even for a moment.
    file = open(path, mode, opener=_open_private, **text)  # noqa: SIM115
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) != PRIVATE_MODE and status.st_uid == os.geteuid():
        os.fchmod(file.fileno(), PRIVATE_MODE)
    return file


def make_private_folder(path: Path) -> None:
    """Make `path` and what is missing above it; `path` itself for its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_MODE)
