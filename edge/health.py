"""`respire-edge health`: does the `listen` that runs beside this go on? A container's health check."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from edge.errors import UsageError
from edge.service.beat import FILE_VARIABLE, Beat, read_beat

HEALTHY, UNHEALTHY = 0, 1
"""As Docker reads them."""
HUNG_S = 10.0
"""The loop turns four times a second."""
SILENT_S = 60.0
"""A stethoscope that was pulled out and put in again is listened to again long before."""


def health(
    out: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Write one line on the process that beats into $RESPIRE_EDGE_HEARTBEAT to `out`, by default standard output.

    Returns the exit code: 0 where it listens, else 1. Raises UsageError where the variable is not set.
    """
    out = out or sys.stdout
    if not environ.get(FILE_VARIABLE):
        raise UsageError(
            f"health: {FILE_VARIABLE} is not set; set it to the same file for this and for `respire-edge listen`"
        )
    fault, status = _fault_and_status(Path(environ[FILE_VARIABLE]), clock())
    print(f"unhealthy: {fault}" if fault else f"healthy: {status}", file=out)
    return UNHEALTHY if fault else HEALTHY


def maybe_fault(beat: Beat, now_s: float) -> str | None:
    """What is wrong with a loop that last turned as `beat` says; None where nothing is."""
    if now_s < beat.turned_s:
        return "not listening since the machine was started"
    if now_s - beat.turned_s > HUNG_S:
        return f"not listening for {now_s - beat.turned_s:.0f} s: it hangs, or was ended; see its log"
    if now_s - beat.heard_s > SILENT_S:
        return f"{beat.status}; see whether the stethoscope is plugged in: respire-edge devices"
    return None


def _fault_and_status(path: Path, now_s: float) -> tuple[str | None, str]:
    try:
        beat = read_beat(path)
    except FileNotFoundError:
        return f"{path} is not there: not listening yet, or no more", ""
    except (OSError, ValueError) as error:
        return f"{path} cannot be read ({error})", ""
    return maybe_fault(beat, now_s), beat.status
