"""A capture file played again: bytes of the device come as they came then, what is written goes nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from firmware_bridge.capture import Direction, Record, read_capture
from firmware_bridge.errors import CaptureEnded, TransportError
from firmware_bridge.session import REPEAT_S
from firmware_bridge.transports.transport import Transport

STALLED_S = 1.5 * REPEAT_S
"""Whoever records says PING in between; where nothing was carried for longer, the recording program stood still."""


class PlayedTime:
    """Time that passes only where somebody sleeps: what takes an hour by it may be over in seconds."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def clock(self) -> float:
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        self._now_s += max(duration_s, 0.0)


class Replay:
    """A capture that goes on where it stood whenever it is opened again, as the device did."""

    def __init__(self, name: str, path: Path, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """`clock` and `sleep`: those of whoever listens, or of a PlayedTime that both share."""
        self.name = name
        self._clock = clock
        self._sleep = sleep
        self._records = _records_of_file(name, path)
        self._next: Record | None = None
        self._begin_s: float | None = None
        self._passed_ns: int | None = None

    def open(self) -> ReplayTransport:
        """Raises TransportError where the file cannot be read."""
        self.maybe_next()
        return ReplayTransport(self)

    def maybe_next(self) -> Record | None:
        """The record that comes next; None after the last. Raises TransportError."""
        if self._next is None:
            self._next = next(self._records, None)
        return self._next

    def pass_next(self) -> None:
        """It was taken."""
        assert self._next is not None
        self._passed_ns, self._next = self._next.t_ns, None

    def wait_for(self, record: Record, timeout_s: float) -> bool:
        """Whether its time comes within `timeout_s`; the time until then, or until it is clear, is slept.

        Where the recording program stood still, so does whoever reads: a device was not silent because nobody listened.
        """
        if self._begin_s is None:
            self._begin_s = self._clock() - record.t_ns * 1e-9
        early_s = self._begin_s + record.t_ns * 1e-9 - self._clock()
        if record.direction == Direction.FROM_DEVICE and self._pause_s(record) > STALLED_S:
            timeout_s = max(timeout_s, early_s)
        if early_s > 0:
            self._sleep(min(early_s, timeout_s))
        return early_s <= timeout_s

    def _pause_s(self, record: Record) -> float:
        """Since the record before it."""
        return 0.0 if self._passed_ns is None else (record.t_ns - self._passed_ns) * 1e-9


class ReplayTransport(Transport):
    """One opening of a Replay."""

    def __init__(self, replay: Replay) -> None:
        self.name = replay.name
        self._replay = replay
        self._has_read = False

    def read(self, timeout_s: float) -> bytes:
        """One record's bytes. Raises CaptureEnded after the last, and TransportError where the recorded transport was
        opened again.
        """
        record = self._replay.maybe_next()
        if record is None:
            raise CaptureEnded(f"{self.name}: the capture has ended")
        if not self._replay.wait_for(record, timeout_s):
            return b""
        self._replay.pass_next()
        if record.direction == Direction.FROM_DEVICE:
            self._has_read = True
            return record.data
        if record.direction == Direction.TO_DEVICE and not record.data and self._has_read:
            raise TransportError(f"{self.name}: it was opened again here, when it was recorded")
        return b""

    def write(self, data: bytes) -> None:
        del data

    def close(self) -> None:
        """The capture stays where it is."""


def _records_of_file(name: str, path: Path) -> Iterator[Record]:
    try:
        with path.open("rb") as stream:
            yield from read_capture(name, stream)
    except OSError as error:
        raise TransportError(f"{name}: cannot be read ({error.strerror or error})") from error
