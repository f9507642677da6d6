"""The files of one run in a folder: sound is split among them, old ones are pruned before each new one."""

from __future__ import annotations

import errno
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from edge.events import Event
from edge.recorder.growing_wave import BYTES_PER_SAMPLE, Int16
from edge.recorder.recorded_file import Gap, Notes, RecordedFile, RecordingSession
from edge.recorder.retention import GIGABYTE, Retention, prune
from edge.results import Result

FILE_S = 600.0
"""Short enough to be listened to, and to lose little with a damaged file; 53 MB at 44.1 kHz."""
FEWEST_FILES = 4
"""Among which the allowed size is split at least, so that pruning never takes most of what there is."""
LONGEST_SILENCE_S = 60.0
"""A longer gap ends a file: hours without a stethoscope would fill the disk with nothing."""
SYNC_S = 0.7
"""How often sound is brought to the disk: with the block that is under way, a power cut costs less than a second."""
SIDECAR_S = 30.0
SIDECAR_SHARE = 0.1
"""Reserved beside the sound for its sidecar: at a 1 s hop a result with all reasons, 0.7 kB, beside 8 kB of sound."""
MAX_EVENTS = 1000
"""In one file: a source that is retried for days must not fill the memory."""


@dataclass(frozen=True)
class RecordingClock:
    """What tells the time; a test passes its own."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds, never going back."""
    utc: Callable[[], datetime] = lambda: datetime.now(timezone.utc)


SYSTEM_CLOCK = RecordingClock()


class RecordingFolder:
    """A run's recording. For one thread; every method raises OSError where the disk refuses or is too full."""

    def __init__(
        self, folder: Path, session: RecordingSession, retention: Retention, clock: RecordingClock = SYSTEM_CLOCK
    ) -> None:
        """Record into `folder`, which exists; nothing is written before there is sound."""
        self._folder = folder
        self._session = session
        self._retention = retention
        self._clock = clock
        largest_bytes = retention.max_bytes / FEWEST_FILES / (1 + SIDECAR_SHARE)
        self._file_samples = max(int(min(FILE_S * session.sample_rate_hz, largest_bytes / BYTES_PER_SAMPLE)), 1)
        self._file: RecordedFile | None = None
        self._files = 0
        self._notes = Notes()
        self._next_sample = 0
        self._unsynced = False
        self._synced_s = self._noted_s = -math.inf

    @property
    def maybe_file(self) -> RecordedFile | None:
        """The file in hand; None before the first sound, and in a long gap."""
        return self._file

    def prune(self) -> None:
        """Remove what is too old, and what leaves no room for another file."""
        file_bytes = round(self._file_samples * BYTES_PER_SAMPLE * (1 + SIDECAR_SHARE))
        prune(self._folder, self._retention, self._clock.utc(), file_bytes)

    def add_sound(self, samples: Int16) -> None:
        """Record what was heard."""
        while samples.size:
            file = self._file_with_room()
            room = file.start_sample + self._file_samples - file.end_sample
            file.append(samples[:room])
            self._next_sample += samples[:room].size
            self._unsynced = True
            samples = samples[room:]

    def add_gap(self, samples: int, reason: str) -> None:
        """Note that so much of the stream is missing here, and keep its place with silence unless it is long."""
        rate_hz = self._session.sample_rate_hz
        self._notes.gaps.append(Gap(self._next_sample / rate_hz, (self._next_sample + samples) / rate_hz, reason))
        if self._file is not None and samples <= LONGEST_SILENCE_S * rate_hz:
            self.add_sound(np.zeros(samples, np.int16))
            return
        self._finish_file()
        self._next_sample += samples

    def add_result(self, result: Result) -> None:
        """List what was said about the sound."""
        self._notes.results.append(result)

    def add_event(self, event: Event) -> None:
        """List what happened; no more than `MAX_EVENTS` in a file."""
        if len(self._notes.events) < MAX_EVENTS:
            self._notes.events.append(event)

    def keep_up(self) -> None:
        """Bring to the disk what has waited long enough. To be called about every second."""
        if self._file is None or not self._unsynced or self._clock.monotonic() - self._synced_s < SYNC_S:
            return
        self._check_free()
        self._file.sync()
        self._unsynced = False
        self._synced_s = self._clock.monotonic()
        if self._synced_s - self._noted_s >= SIDECAR_S:
            self._file.write_sidecar(self._notes)
            self._noted_s = self._synced_s

    def close(self) -> None:
        """Finish the file in hand."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close(self._notes)

    def _file_with_room(self) -> RecordedFile:
        """The file in hand, or the next one. A full file waits for more sound: the last results come after it."""
        if self._file is not None and self._file.end_sample - self._file.start_sample >= self._file_samples:
            self._finish_file()
        if self._file is None:
            self.prune()
            self._check_free()
            self._files += 1
            self._file = RecordedFile(self._folder, self._session, self._files, self._next_sample, self._clock.utc())
            self._synced_s = self._noted_s = -math.inf
        return self._file

    def _finish_file(self) -> None:
        if self._file is not None:
            end_s = self._file.end_sample / self._session.sample_rate_hz
            ended, self._notes = self._notes.split_at(end_s)
            file, self._file = self._file, None
            file.close(ended)

    def _check_free(self) -> None:
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < self._retention.min_free_bytes:
            kept_free_bytes = self._retention.min_free_bytes
            raise OSError(
                errno.ENOSPC, f"{free_bytes / GIGABYTE:.2f} GB free, {kept_free_bytes / GIGABYTE:g} GB are to stay free"
            )
