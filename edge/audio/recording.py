"""WAV and FLAC files, read block by block so that a night's recording needs no more memory than a breath's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.audio.block import AudioBlock, Float32, Positions, block_from_channels
from edge.audio.pacing import Pace, paced
from edge.audio.riff import missing_sound_share
from edge.audio.sample_rates import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ
from edge.audio.source import AudioSource
from edge.errors import RecordingError, SetupError

if TYPE_CHECKING:
    from soundfile import SoundFile

MAX_BLOCK_VALUES = 1 << 18
"""Of all channels together: a file may have a thousand of them."""
PACED_BLOCK_S = 0.25
"""Short enough for a live view."""
BLOCK_S = 2.0
"""Measured: conditioning costs a sixth a second of sound of what it costs in blocks of 0.25 s."""
FIRST_BYTES = (b"RIFF", b"RIFX", b"RF64", b"fLaC")
"""Looked at first, so that only these formats' code in libsndfile ever meets a file."""
FORMATS = ("WAV", "WAVEX", "RF64", "FLAC")
"""As libsndfile names them: the lossless ones that stethoscopes and recorders write."""
ENCODINGS = ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
"""As libsndfile names them; a WAV file may hold a dozen others, which have lost what crackles are made of."""
MAX_DURATION_S = 48 * 3600.0
"""Two nights and a day. A FLAC file of one megabyte can announce years."""
NOT_KNOWN = "not a WAV or FLAC file; convert it to one, for example with ffmpeg"
UNKNOWN_FRAMES = 2**63 - 1
"""libsndfile's length of a FLAC stream whose header was never finished."""


@dataclass(frozen=True)
class Recording:
    """A whole recording in memory."""

    samples: Float32
    """float32 [n], mono (mean of the channels), in [-1, 1]."""
    sample_rate_hz: int
    invalid_at: Positions
    """Positions in `samples` that were NaN or infinite and are 0 here."""
    clipped_at: Positions
    """Positions in `samples` where at least one channel stood at full scale."""


def read_recording(path: Path) -> Recording:
    """All of a WAV or FLAC file: 8 to 32 bit or float, any number of channels, 4 to 48 kHz. Raises RecordingError."""
    with RecordingSource(path) as source:
        blocks = list(source.blocks())
    starts = np.cumsum([0] + [len(block.samples) for block in blocks[:-1]])
    return Recording(
        samples=np.concatenate([block.samples for block in blocks]),
        sample_rate_hz=source.sample_rate_hz,
        invalid_at=np.concatenate([start + block.invalid_at for start, block in zip(starts, blocks, strict=True)]),
        clipped_at=np.concatenate([start + block.clipped_at for start, block in zip(starts, blocks, strict=True)]),
    )


class RecordingSource(AudioSource):
    """A WAV or FLAC file as a stream."""

    def __init__(self, path: Path, pace: Pace | None = None, *, check_end: bool = True) -> None:
        """Open and check `path`; with a `pace` it is delivered as fast as it would sound. Raises RecordingError.

        Without `check_end`, which costs two thirds of decoding a FLAC file, a missing end is found when it is reached.
        """
        _check_file(path)
        self._path = path
        self._pace = pace
        self._file = _open(path)
        self.name = str(path)
        self.sample_rate_hz = self._file.samplerate
        try:
            _check_sound(path, self._file)
            if check_end:
                _check_end(path, self._file.frames)
        except RecordingError:
            self.close()
            raise
        self.duration_s = self._file.frames / self.sample_rate_hz

    def blocks(self) -> Iterator[AudioBlock]:
        return paced(self._blocks(), self.sample_rate_hz, self._pace)

    def close(self) -> None:
        self._file.close()

    def _blocks(self) -> Iterator[AudioBlock]:
        from soundfile import SoundFileError

        block_s = BLOCK_S if self._pace is None else PACED_BLOCK_S
        block_frames = min(round(block_s * self.sample_rate_hz), MAX_BLOCK_VALUES // self._file.channels)
        read_frames = 0
        while read_frames < self._file.frames:
            try:
                channels = _read(self._file, block_frames)
            except SoundFileError as error:
                read_s = read_frames / self.sample_rate_hz
                raise RecordingError(f"{self._path}: damaged after {read_s:.1f} s ({error}); copy it again") from error
            if len(channels) == 0:
                read_s = read_frames / self.sample_rate_hz
                raise RecordingError(f"{self._path}: ended after {read_s:.1f} s, before its end; copy it again")
            read_frames += len(channels)
            yield block_from_channels(channels)


def _read(file: SoundFile, frames: int) -> Float32:
    """The next frames, float32 [n, channels]; fewer at the end.

    Sixteen-bit samples are scaled here, to the same numbers: measured, libsndfile takes three times as long.
    """
    if file.subtype != "PCM_16":
        return np.asarray(file.read(frames, dtype="float32", always_2d=True))
    samples = file.read(frames, dtype="int16", always_2d=True)
    return np.asarray(np.multiply(samples, np.float32(1 / 32768), dtype=np.float32))


def _check_file(path: Path) -> None:
    """Raise RecordingError unless `path` is a file that can be read and is not cut off, as far as its header tells."""
    try:
        if not path.exists():
            raise RecordingError(f"{path}: no such file; check the path")
        if not path.is_file():
            raise RecordingError(f"{path}: not a file; give a WAV or FLAC file")
        if path.stat().st_size == 0:
            raise RecordingError(f"{path}: empty (0 bytes); record or copy it again")
        with path.open("rb") as file:
            known = file.read(4) in FIRST_BYTES
            file.seek(0)
            missing_share = missing_sound_share(file)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not known:
        raise RecordingError(f"{path}: {NOT_KNOWN}")
    if missing_share > 0:
        raise RecordingError(f"{path}: cut off, the last {missing_share:.1%} of its sound is missing; copy it again")


def _open(path: Path) -> SoundFile:
    try:
        from soundfile import SoundFile, SoundFileError
    except (ImportError, OSError) as error:
        raise SetupError(
            f"reading recordings needs soundfile ({error}); install it with: pip install soundfile"
        ) from error
    try:
        return SoundFile(os.fsencode(path), mode="r")
    except (SoundFileError, TypeError) as error:
        raise RecordingError(f"{path}: {NOT_KNOWN}") from error


def _check_sound(path: Path, file: SoundFile) -> None:
    """Raise RecordingError unless an opened file holds sound that can be used, whole."""
    if file.format not in FORMATS or file.subtype not in ENCODINGS:
        raise RecordingError(
            f"{path}: {file.subtype} sound in a {file.format} file; convert it to PCM, for example with ffmpeg"
        )
    if not MIN_SAMPLE_RATE_HZ <= file.samplerate <= MAX_SAMPLE_RATE_HZ:
        raise RecordingError(
            f"{path}: sample rate {file.samplerate} Hz is outside {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz; "
            "resample it, for example with: ffmpeg -i IN -ar 44100 OUT.wav"
        )
    if file.frames == 0:
        raise RecordingError(f"{path}: holds no sound (0 samples); record it again")
    if file.frames == UNKNOWN_FRAMES:
        raise RecordingError(f"{path}: its header announces no length; write it anew, for example with: flac -d")
    if file.frames > MAX_DURATION_S * file.samplerate:
        hours = file.frames / file.samplerate / 3600
        raise RecordingError(
            f"{path}: announces {hours:.0f} hours of sound, more than {MAX_DURATION_S / 3600:.0f}; cut it"
        )


def _check_end(path: Path, frames: int) -> None:
    """Raise RecordingError unless the last frame is there: a FLAC file announces its length but ends anywhere."""
    from soundfile import SoundFile, SoundFileError

    # A handle of its own: after a failed seek libsndfile can no longer read.
    with SoundFile(os.fsencode(path), mode="r") as file:
        try:
            file.seek(frames - 1)
            whole = len(file.read(1)) == 1
        except SoundFileError:
            whole = False
    if not whole:
        raise RecordingError(f"{path}: cut off, its last sound is missing; copy it again")
