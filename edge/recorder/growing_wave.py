"""A WAV file that can be played at any moment while it grows, also after the program was killed or the power was cut.

Its header never announces more than what has reached the disk, and catches up each time that it does.
Layout: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 3.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.private_file import open_private

Int16 = NDArray[np.int16]

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
BYTES_PER_SAMPLE = 2
PCM, MONO = 1, 1


class GrowingWave:
    """A new mono 16-bit file, locked (flock) for as long as it is written. Every method raises OSError."""

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        """Make `path`, which must not exist, readable for its owner alone."""
        self._file = open_private(path, "xb")
        self._sample_rate_hz = sample_rate_hz
        self._samples = 0
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file.write(self._header())
        self._file.flush()

    def append(self, samples: Int16) -> None:
        """Add sound. It outlives this program at once, and a power cut after the next `sync`."""
        self._file.write(samples.astype("<i2", copy=False).tobytes())
        self._file.flush()
        self._samples += samples.size

    def sync(self) -> None:
        """Wait until all sound so far is on the disk, then announce it."""
        os.fdatasync(self._file.fileno())
        os.pwrite(self._file.fileno(), self._header(), 0)

    def close(self) -> None:
        """Finish the file."""
        try:
            self.sync()
            os.fdatasync(self._file.fileno())
        finally:
            self._file.close()

    def _header(self) -> bytes:
        sound_bytes = self._samples * BYTES_PER_SAMPLE
        return HEADER.pack(
            b"RIFF", HEADER.size - 8 + sound_bytes, b"WAVE",
            b"fmt ", 16, PCM, MONO, self._sample_rate_hz, self._sample_rate_hz * BYTES_PER_SAMPLE,
            BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE,
            b"data", sound_bytes,
        )  # fmt: skip


def int16_from_float32(samples: NDArray[np.float32]) -> Int16:
    """float32 [n] in [-1, 1] as 16-bit sound; what came from 16-bit sound, divided by 32768, comes back unchanged."""
    scaled = np.clip(np.rint(samples * np.float32(32768)), -32768, 32767)
    return np.asarray(scaled, dtype=np.int16)


def is_being_written(path: Path) -> bool:
    """Whether some program holds `path` as its GrowingWave. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
