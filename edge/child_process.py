"""Programs of this package that run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import edge

END_S = 1.0
"""A killed process is gone in no time, unless the machine is busy, or the kernel waits for a broken device on its
behalf.
"""


def start_program(module: str, arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """`python -m module` with this Python and this `edge`; Ctrl-C is not for it. `options` are those of Popen."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, env=_environment(), start_new_session=True, **options)


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """Such as `signal 9`, of a process that ended or is about to."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    status = process.poll()
    return f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"


def _environment() -> dict[str, str]:
    """The one of this process, in which a new Python finds the same `edge`."""
    root = str(Path(edge.__file__).parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
