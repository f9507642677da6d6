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
LONG_LENGTHS = struct.Struct("<QQ")
"""The file's and the sound's, at the beginning of RF64's chunk `ds64`."""
MAX_CHUNKS = 1000
"""Recorders write a handful before the sound; a file made of nothing but empty ones would take minutes to walk."""


def missing_sound_share(file: BinaryIO) -> float:
    """Share, 0 to 1, of the announced sound that `file` (at its beginning) lacks; 0 where it is no WAV file."""
    total_bytes = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return 0.0
    announced_bytes = _sound_bytes(file)
    missing_bytes = min(announced_bytes - (total_bytes - file.tell()), announced_bytes)
    return missing_bytes / announced_bytes if missing_bytes > SLACK_BYTES else 0.0


def _sound_bytes(file: BinaryIO) -> int:
    """The length announced for the `data` chunk, with `file` left at its first byte; 0 if there is none or it is
    unknown.
    """
    long_bytes = 0
    for _ in range(MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            break
        kind, length_bytes = struct.unpack("<4sI", header)
        if kind == b"data":
            return int(length_bytes) if length_bytes < UNKNOWN_LENGTH_BYTES else long_bytes
        if kind == b"ds64":
            long_bytes = _long_sound_bytes(file)
            length_bytes -= LONG_LENGTHS.size
        file.seek(length_bytes + length_bytes % 2, os.SEEK_CUR)
    return 0


def _long_sound_bytes(file: BinaryIO) -> int:
    """RF64's length of the sound, for more than 4 GB (EBU Tech 3306, section 3)."""
    lengths = file.read(LONG_LENGTHS.size)
    return int(LONG_LENGTHS.unpack(lengths)[1]) if len(lengths) == LONG_LENGTHS.size else 0
