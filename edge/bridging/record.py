"""`respire-edge bridge record`: what a link carries, kept bit for bit."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from edge.bridging.opened import watched
from edge.errors import OutputError, UsageError
from edge.private_file import open_private
from edge.stopping import stop_requests
from firmware_bridge.capture import CapturedTransport, CaptureWriter
from firmware_bridge.transports.opening import CAPTURE_SUFFIX
from firmware_bridge.transports.transport import Transport


class CaptureFile:
    """A capture that begins when the first transport opens: where none does, no file is left behind."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where it would not be known again as a capture."""
        if path.suffix != CAPTURE_SUFFIX:
            raise UsageError(f"--output {path}: not the name of a capture; let it end in {CAPTURE_SUFFIX}")
        self._path = path
        self._opened = ExitStack()
        self._writer: CaptureWriter | None = None

    def tapped(self, transport: Transport) -> Transport:
        """The transport, whose bytes are kept from now on. Raises OSError."""
        if self._writer is None:
            stream = self._opened.enter_context(open_private(self._path, "xb"))
            self._writer = CaptureWriter(cast(BinaryIO, stream))
        return CapturedTransport(transport, self._writer, time.monotonic)

    def close(self) -> None:
        """Raises OSError."""
        self._opened.close()


def record(uri: str, output: Path, seconds: float | None, out: TextIO | None = None) -> int:
    """Ask the device for sound and keep everything until asked to stop, whatever comes of the link. Returns 0.

    Raises UsageError, AudioDeviceError where the link cannot be opened at the start, and OutputError where the file
    is there already or cannot be written; what was kept stays.
    """
    capture = CaptureFile(output)
    try:
        _keep(uri, capture, seconds, out or sys.stdout, output)
    except FileExistsError as error:
        raise OutputError(f"{output}: is there already, and captures are not overwritten; name another file") from error
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror}); free some space or name another") from error
    finally:
        capture.close()
    return 0


def _keep(uri: str, capture: CaptureFile, seconds: float | None, out: TextIO, output: Path) -> None:
    with watched(uri, capture.tapped) as link, stop_requests() as stopping:
        begin_s = time.monotonic()
        while not (stopping() or link.is_over or (seconds and time.monotonic() - begin_s >= seconds)):
            link.turn()
        carried = link.link.frame_counters
    out.write(f"{output}: {carried.bytes} bytes of the device, {carried.frames} frames\n")
