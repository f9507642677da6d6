"""How unframed PCM is written, as its user declares it: `s16le`, `u8`, `s24be`, ..., rate, channels."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Uint8 = NDArray[np.uint8]


@dataclass(frozen=True)
class RawFormat:
    """Samples of one or more channels, interleaved; nothing between them."""

    rate_hz: int
    width_bytes: int
    is_big_endian: bool
    is_offset_binary: bool
    """Unsigned: silence is the middle of the range."""
    channels: int = 1
    channel: int = 1
    """The one that is listened to, counted from 1."""

    @property
    def frame_bytes(self) -> int:
        """One sample of every channel."""
        return self.width_bytes * self.channels

    @property
    def high_byte(self) -> int:
        """Where in a sample its most significant byte stands."""
        return 0 if self.is_big_endian else self.width_bytes - 1


def maybe_raw_format(name: str, rate_hz: int, channels: int = 1, channel: int = 1) -> RawFormat | None:
    """`name`: s or u (offset binary), 8, 16, 24 or 32, and le or be, which 8 lacks; None where it is none."""
    match = re.fullmatch(r"([su])(?:(8)|(16|24|32)(le|be))", name)
    if match is None:
        return None
    sign, single, wide, order = match.groups()
    return RawFormat(rate_hz, int(single or wide) // 8, order == "be", sign == "u", channels, channel)


def samples_from_bytes(data: bytes, written: RawFormat) -> Float32:
    """The chosen channel of whole frames, float32 [n] in [-1, 1); of 32 bits the upper 24."""
    octets = np.frombuffer(data, np.uint8).reshape(-1, written.channels, written.width_bytes)[:, written.channel - 1]
    little = octets[:, ::-1] if written.is_big_endian else octets
    padded = np.zeros((len(octets), 4), np.uint8)
    padded[:, 4 - written.width_bytes :] = little
    if written.is_offset_binary:
        padded[:, 3] ^= 0x80
    return ((padded.view("<i4")[:, 0] >> 8) / np.float32(1 << 23)).astype(np.float32)
