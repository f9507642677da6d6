"""What a transport carried, kept bit for bit in a file and read again (PROTOCOL.md, section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import BinaryIO

from firmware_bridge.errors import TransportError
from firmware_bridge.transports.transport import Transport

MAGIC = b"RBCAP\x01\x00\x00"
RECORD = Struct("<QBBH")
MAX_RECORD_BYTES = (1 << 16) - 1


class Direction(IntEnum):
    FROM_DEVICE = 0
    TO_DEVICE = 1


@dataclass(frozen=True)
class Record:
    """Bytes as they were read or written at once."""

    t_ns: int
    """Since the first record."""
    direction: int
    """One of `Direction`; a later version may have others."""
    data: bytes
    """None at all, to the device: the transport was opened here."""


class CaptureWriter:
    """Writes records to a stream, which stays its owner's."""

    def __init__(self, stream: BinaryIO) -> None:
        """Raises OSError, as does `add`."""
        self._stream = stream
        self._first_s: float | None = None
        stream.write(MAGIC)

    def add(self, t_s: float, direction: Direction, data: bytes) -> None:
        """`t_s`: by a clock that never goes back. Each record is handed on whole, so that a crash loses none."""
        self._first_s = t_s if self._first_s is None else self._first_s
        t_ns = round((t_s - self._first_s) * 1e9)
        for start in range(0, len(data) or 1, MAX_RECORD_BYTES):
            piece = data[start : start + MAX_RECORD_BYTES]
            self._stream.write(RECORD.pack(t_ns, direction, 0, len(piece)) + piece)
        self._stream.flush()

    def add_opening(self, t_s: float) -> None:
        """Note that the transport is opened now, for the first time or again."""
        self.add(t_s, Direction.TO_DEVICE, b"")


class CapturedTransport(Transport):
    """A transport, open already, whose bytes are kept both ways; those that were written even where that failed."""

    def __init__(self, transport: Transport, writer: CaptureWriter, clock: Callable[[], float]) -> None:
        self.name = transport.name
        self._transport = transport
        self._writer = writer
        self._clock = clock
        writer.add_opening(clock())

    def read(self, timeout_s: float) -> bytes:
        data = self._transport.read(timeout_s)
        if data:
            self._writer.add(self._clock(), Direction.FROM_DEVICE, data)
        return data

    def write(self, data: bytes) -> None:
        self._writer.add(self._clock(), Direction.TO_DEVICE, data)
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


def read_capture(name: str, stream: BinaryIO) -> Iterator[Record]:
    """Its records; one that was cut off at the end is left out. Raises TransportError where it is no capture."""
    if stream.read(len(MAGIC)) != MAGIC:
        raise TransportError(f"{name}: not a capture of this version; `respire-edge bridge record` makes them")
    while len(header := stream.read(RECORD.size)) == RECORD.size:
        t_ns, direction, _, length = RECORD.unpack(header)
        data = stream.read(length)
        if len(data) < length:
            return
        yield Record(t_ns, direction, data)
