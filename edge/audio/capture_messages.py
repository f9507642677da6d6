"""What the process that holds PortAudio tells the one that listens, as bytes on a pipe.

A message is the lengths of its two parts as little-endian uint32, then its kind and fields as JSON, then its sound.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LENGTHS = struct.Struct("<II")


@dataclass(frozen=True)
class Opened:
    """The input is capturing."""

    name: str
    selector: str
    """What opens the same input again: see `stable_selector`."""
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True)
class Sound:
    """One block as PortAudio's callback got it."""

    frames: int
    arrived_s: float
    """When the callback ran, by `boot_clock_s`."""
    adc_s: float
    """When PortAudio says that the first frame was captured, by a clock of its own; 0 where it does not know."""
    overflowed: bool = False
    """PortAudio says that sound was lost before it."""
    dropped_frames: int = 0
    """How many frames between the block before and this one found the queue full."""
    data: bytes = b""
    """float32 [frames, channels]."""


@dataclass(frozen=True)
class Failed:
    """Nothing more will come."""

    reason: str


@dataclass(frozen=True)
class Listed:
    """The inputs of the machine, each as the fields of an AudioInput."""

    inputs: Sequence[Mapping[str, Any]]


Message = Opened | Sound | Failed | Listed
KINDS: Mapping[str, Callable[..., Message]] = {kind.__name__: kind for kind in (Opened, Sound, Failed, Listed)}


def bytes_from_message(message: Message) -> bytes:
    """As it goes over the pipe."""
    fields = asdict(message)
    data: bytes = fields.pop("data", b"")
    text = json.dumps([type(message).__name__, fields]).encode()
    return LENGTHS.pack(len(text), len(data)) + text + data


class MessageReader:
    """Makes messages of bytes that arrive in any portions."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, received: bytes) -> None:
        """Take what arrived."""
        self._received += received

    def next(self) -> Message | None:
        """The oldest whole message, taken out; None if there is none yet."""
        if len(self._received) < LENGTHS.size:
            return None
        text_end = LENGTHS.size + LENGTHS.unpack_from(self._received)[0]
        end = text_end + LENGTHS.unpack_from(self._received)[1]
        if len(self._received) < end:
            return None
        kind, fields = json.loads(self._received[LENGTHS.size : text_end])
        if kind == Sound.__name__:
            fields["data"] = bytes(self._received[text_end:end])
        del self._received[:end]
        return KINDS[kind](**fields)
