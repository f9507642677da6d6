"""How much sound a WAV file's header announces, beside how much is there.

libsndfile quietly plays what is left of a cut-off WAV file; half a recording must not pass for a whole one.
Layout: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 3.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

UNKNOWN_LENGTH_BYTES = 0x7FFF_F000
"""Recorders that cannot go back to write the length leave a number from here up (SoX, arecord, FFmpeg), or 0."""
SLACK_BYTES = 64
"""Some writers count their own header as sound."""


def missing_sound_share(file: BinaryIO) -> float:
    """Share, 0 to 1, of the announced sound that `file` (at its beginning) lacks; 0 where it is no plain RIFF WAV."""
    total_bytes = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0.0
    announced_bytes = _sound_bytes(file)
    missing_bytes = announced_bytes - (total_bytes - file.tell())
    if announced_bytes >= UNKNOWN_LENGTH_BYTES or missing_bytes <= SLACK_BYTES:
        return 0.0
    return missing_bytes / announced_bytes


def _sound_bytes(file: BinaryIO) -> int:
    """The length that the `data` chunk announces, with `file` left at its first byte; 0 if there is no such chunk."""
    while len(header := file.read(8)) == 8:
        kind, length_bytes = struct.unpack("<4sI", header)
        if kind == b"data":
            return int(length_bytes)
        file.seek(length_bytes + length_bytes % 2, os.SEEK_CUR)
    return 0
