"""Frames on a stream of bytes: COBS, a 16-byte header, CRC-16 (PROTOCOL.md, sections 2 and 3).

Consistent Overhead Byte Stuffing: S. Cheshire and M. Baker, IEEE/ACM Transactions on Networking 7 (1999). The CRC is
CRC-16/CCITT-FALSE, which the standard library computes as `binascii.crc_hqx` from 0xFFFF.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx
from dataclasses import dataclass, field
from itertools import chain

MAJOR_VERSION = 1
MAGIC = 0xA0
"""In the first byte's upper half; the lower half is the major version."""
HEADER = struct.Struct("<BBHIIBBH")
CRC = struct.Struct("<H")
CRC_START = 0xFFFF
DELIMITER = b"\0"
MAX_PAYLOAD_BYTES = 1024
MIN_BODY_BYTES = HEADER.size + CRC.size
MAX_BODY_BYTES = MIN_BODY_BYTES + MAX_PAYLOAD_BYTES
MAX_COBS_RUN = 254
MAX_STUFFED_BYTES = MAX_BODY_BYTES + -(-MAX_BODY_BYTES // MAX_COBS_RUN)
"""A body as COBS writes it, without its delimiter."""
PORTION_BYTES = 1 << 14


@dataclass(frozen=True)
class Frame:
    """One message with its header."""

    type: int
    """0 to 255; `firmware_bridge.messages` knows what each means."""
    seq: int = 0
    """0 to 65535, one more with each frame of a direction, wrapping."""
    sample_index: int = 0
    """32 bits, wrapping: the first sample of an AUDIO frame since START; the end of the window of a RESULT."""
    t_us: int = 0
    """32 bits, wrapping: the sender's clock in microseconds."""
    codec: int = 0
    flags: int = 0
    count: int = 0
    """Samples a channel in an AUDIO frame, else the payload's bytes."""
    payload: bytes = b""


@dataclass
class FrameCounters:
    """What became of the bytes that were fed; loss of every kind shows here."""

    bytes: int = 0
    frames: int = 0
    cobs_errors: int = 0
    """Pieces between delimiters that are no COBS."""
    short: int = 0
    """Pieces too short for a header and a CRC, such as a line of text."""
    oversize: int = 0
    """Pieces, or bodies, longer than any frame's."""
    crc_errors: int = 0
    foreign_versions: int = 0
    """Whole frames of another major version or of another protocol."""
    last_foreign_version: int | None = field(default=None)
    """The first byte of the latest of them."""


def encode_frame(frame: Frame) -> bytes:
    """The frame as it goes over a byte stream: stuffed, with its delimiter. Raises ValueError for what does not fit."""
    if len(frame.payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload of {len(frame.payload)} bytes; a frame holds {MAX_PAYLOAD_BYTES}")
    try:
        header = HEADER.pack(
            MAGIC | MAJOR_VERSION, frame.type, frame.seq, frame.sample_index, frame.t_us,
            frame.codec, frame.flags, frame.count,
        )  # fmt: skip
    except struct.error as error:
        raise ValueError(f"a header field does not fit: {error}") from error
    body = header + frame.payload
    return stuff(body + CRC.pack(crc_hqx(body, CRC_START))) + DELIMITER


def stuff(content: bytes) -> bytes:
    """`content` without zeros (COBS), without a delimiter."""
    stuffed = bytearray()
    runs = content.split(DELIMITER)
    for number, run in enumerate(runs):
        whole = len(run) // MAX_COBS_RUN
        for start in range(0, whole * MAX_COBS_RUN, MAX_COBS_RUN):
            stuffed.append(MAX_COBS_RUN + 1)
            stuffed += run[start : start + MAX_COBS_RUN]
        rest = run[whole * MAX_COBS_RUN :]
        # A full run needs no code after it where the content ends with it.
        if rest or not whole or number < len(runs) - 1:
            stuffed.append(len(rest) + 1)
            stuffed += rest
    return bytes(stuffed)


def maybe_unstuff(stuffed: bytes) -> bytes | None:
    """What `stuff` was given; None where `stuffed`, which holds no zero, is not its output."""
    content = bytearray(stuffed)
    at, end, behind_full_runs = 0, len(stuffed), []
    while at < end:
        code = stuffed[at]
        content[at] = 0
        at += code
        if code > MAX_COBS_RUN and at < end:
            behind_full_runs.append(at)
    if at != end or not end:
        return None
    for place in (*reversed(behind_full_runs), 0):  # codes that stand for no zero
        del content[place]
    return bytes(content)


class FrameDecoder:
    """Bytes in, frames out, however they are cut; it never raises on bytes and never holds more than one frame."""

    def __init__(self) -> None:
        self.counters = FrameCounters()
        self._held = bytearray()
        self._oversize = False
        """What arrives until the next delimiter belongs to a piece that was already given up."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        self.counters.bytes += len(data)
        frames = []
        # A portion at a time: splitting megabytes of delimiters at once would make as many millions of pieces.
        for start in range(0, len(data), PORTION_BYTES):
            *ended, rest = data[start : start + PORTION_BYTES].split(DELIMITER)
            # The first may end what is held; of the others, empty ones are nothing but delimiters in a row.
            for piece in chain(ended[:1], filter(None, ended[1:])):
                if (frame := self._maybe_frame(piece)) is not None:
                    frames.append(frame)
            self._hold(rest)
        return frames

    def reset(self) -> None:
        """Another stream begins: what is held of the one before is dropped. The counters go on."""
        self._held.clear()
        self._oversize = False

    def _maybe_frame(self, last_part: bytes) -> Frame | None:
        """The frame whose last part, before a delimiter, has arrived."""
        self._hold(last_part)
        piece, given_up = bytes(self._held), self._oversize
        self._held.clear()
        self._oversize = False
        return None if given_up or not piece else self._maybe_parse(piece)

    def _hold(self, part: bytes) -> None:
        if self._oversize:
            return
        if len(self._held) + len(part) > MAX_STUFFED_BYTES:
            self.counters.oversize += 1
            self._oversize = True
            self._held.clear()
            return
        self._held += part

    def _maybe_parse(self, piece: bytes) -> Frame | None:
        body = maybe_unstuff(piece)
        if body is None:
            self.counters.cobs_errors += 1
        elif len(body) < MIN_BODY_BYTES:
            self.counters.short += 1
        elif len(body) > MAX_BODY_BYTES:
            self.counters.oversize += 1
        elif crc_hqx(body[: -CRC.size], CRC_START) != CRC.unpack(body[-CRC.size :])[0]:
            self.counters.crc_errors += 1
        elif body[0] != MAGIC | MAJOR_VERSION:
            self.counters.foreign_versions += 1
            self.counters.last_foreign_version = body[0]
        else:
            self.counters.frames += 1
            _, frame_type, seq, sample_index, t_us, codec, flags, count = HEADER.unpack_from(body)
            payload = body[HEADER.size : -CRC.size]
            return Frame(frame_type, seq, sample_index, t_us, codec, flags, count, payload)
        return None
