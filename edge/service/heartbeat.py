"""Whether `listen` goes on: told to a service manager, and to a file that `respire-edge health` reads.

Both come out of the loop that does the work, and only while it turns: a thread of their own would vouch for a loop that
hangs. Neither names a source or a label: everybody may read the status of a service.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from edge.audio.block import AudioBlock
from edge.errors import OutputError
from edge.private_file import open_private
from edge.results import Result
from edge.service.beat import FILE_VARIABLE, Beat
from edge.service.service_notification import ServiceManager, maybe_service_manager, maybe_watchdog_s

BEAT_S = 1.0
Clock = Callable[[], float]


class Heartbeat:
    """Follows the loop of `listen`, and tells of it about every second while it turns."""

    def __init__(
        self, manager: ServiceManager | None, watchdog_s: float | None, path: Path | None, clock: Clock = time.monotonic
    ) -> None:
        """Tell `manager`, which waits `watchdog_s` for each word, and write `path`; None: nobody, for ever, nowhere."""
        self._manager = manager
        self._watchdog_s = watchdog_s
        self._interval_s = BEAT_S if watchdog_s is None else min(BEAT_S, watchdog_s / 2)
        self._path = path
        self._clock = clock
        self._told_s: float | None = None
        self._beat = Beat(turned_s=clock(), heard_s=clock())

    def take_result(self, result: Result) -> None:
        """Count a result."""
        beat = self._beat
        self._beat = replace(beat, results=beat.results + 1, refused=beat.refused + (not result.quality.ok))

    def take_block(self, block: AudioBlock) -> None:
        """Note that the loop has turned, and tell where it is time to. Raises OutputError where the file is refused."""
        now_s = self._clock()
        self._beat = replace(self._beat, turned_s=now_s, heard_s=now_s if block.samples.size else self._beat.heard_s)
        if self._told_s is None:
            self._tell("READY=1")
            self._write_first()
        elif now_s - self._told_s >= self._interval_s:
            self._tell()
            self._write()
        else:
            return
        self._told_s = now_s

    def close(self) -> None:
        """Say that this ends, and leave no file behind that would look like a process."""
        if self._manager is not None:
            self._manager.tell("STOPPING=1")
            self._manager.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _tell(self, *assignments: str) -> None:
        if self._manager is not None:
            watchdog = () if self._watchdog_s is None else ("WATCHDOG=1",)
            self._manager.tell(*assignments, f"STATUS={self._beat.status}", *watchdog)

    def _write_first(self) -> None:
        try:
            self._write_beat()
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{self._path}: the heartbeat cannot be written ({error}); "
                f"name a file in a folder that may be written as {FILE_VARIABLE}, or unset it"
            ) from error

    def _write(self) -> None:
        with suppress(OSError):  # listening goes on; the file grows old, and `health` says so
            self._write_beat()

    def _write_beat(self) -> None:
        if self._path is None:
            return
        unfinished = self._path.with_name(f"{self._path.name}.new")
        with open_private(unfinished, "w", encoding="utf-8") as file:
            json.dump(asdict(self._beat), file)
        unfinished.replace(self._path)


@contextmanager
def open_heartbeat(environ: Mapping[str, str] = os.environ) -> Iterator[Heartbeat]:
    """The heartbeat that whoever started this process asks for in `environ`. Raises UsageError."""
    watchdog_s = maybe_watchdog_s(environ)
    path = Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None
    heartbeat = Heartbeat(maybe_service_manager(environ), watchdog_s, path)
    try:
        yield heartbeat
    finally:
        heartbeat.close()
