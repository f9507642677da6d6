"""The spectrogram of a recording of any length, as a picture of bounded width, from a stream of conditioned sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.signal.colour import magma
from edge.signal.mel import POWER_FLOOR, band_centres_hz, mel_power
from edge.signal.spec import FeatureSpec

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

MAX_COLUMNS = 1024
"""About what a screen shows; 32 s at the features' 32 ms a frame. Even, because columns are joined in pairs."""
RANGE_DB = 60.0
"""From the brightest to the darkest colour. Chosen by eye on recordings of three stethoscopes."""
LOUDEST_PERCENTILE = 99.5
"""Of the points, which gets the brightest colour: one click or knock must not darken a whole recording."""
COLOURS = 64
"""A step of 1 dB cannot be seen, and takes two thirds of the bytes of 256 steps."""


@dataclass(frozen=True)
class Spectrogram:
    """A picture with its scales."""

    levels: UInt8
    """uint8 [n_mels, columns], 0 to `COLOURS` - 1, the highest band in the first row."""
    column_s: float
    """How much time one column stands for; the first begins at 0."""

    @property
    def span_s(self) -> float:
        """The time from the left to the right edge, a little more than the sound lasts."""
        return float(self.levels.shape[1] * self.column_s)


def spectrogram(sound: Iterable[Float32], spec: FeatureSpec) -> Spectrogram:
    """The picture of `sound`, float32 pieces [n] of conditioned sound, in memory that does not grow with its length.

    A column shows the loudest of the frames that it stands for, so that a crackle stays visible in a night.
    """
    columns = _Columns(spec.n_mels)
    for power in mel_power_pieces(sound, spec):
        columns.add(power)
    levels_db = 10 * np.log10(np.maximum(columns.filled(), POWER_FLOOR))
    loudest_db = np.percentile(levels_db, LOUDEST_PERCENTILE)
    heard = levels_db > 10 * np.log10(POWER_FLOOR)
    shares = np.clip(1 + (levels_db - loudest_db) / RANGE_DB, 0, 1) * heard
    levels = np.rint(shares[::-1] * (COLOURS - 1)).astype(np.uint8)
    return Spectrogram(levels, columns.frames_per_column * spec.hop_samples / spec.sample_rate_hz)


def palette() -> UInt8:
    """Red, green and blue of each level, uint8 [COLOURS, 3]: magma, whose lightness rises evenly with the level."""
    return np.asarray(magma()[np.linspace(0, 255, COLOURS).round().astype(int)])


def height_of_frequency(frequency_hz: float, spec: FeatureSpec) -> float:
    """Where a frequency lies in the picture: 0 at its upper edge, 1 at its lower one."""
    band = float(np.interp(frequency_hz, band_centres_hz(spec), np.arange(spec.n_mels)))
    return 1 - (band + 0.5) / spec.n_mels


def mel_power_pieces(sound: Iterable[Float32], spec: FeatureSpec) -> Iterator[Float32]:
    """`mel_power` of a whole recording, float [n_mels, k] at a time, however the sound is cut into pieces."""
    context_frames = -(-(spec.n_fft // 2) // spec.hop_samples)
    held, known_frames = np.zeros(0, np.float32), 0
    for piece in sound:
        held = np.concatenate([held, piece])
        whole_frames = held.size // spec.hop_samples - context_frames
        if whole_frames <= known_frames:
            continue
        yield mel_power(held, spec)[:, known_frames:whole_frames]
        first_kept = max(whole_frames - context_frames, 0)
        held, known_frames = held[first_kept * spec.hop_samples :], whole_frames - first_kept
    yield mel_power(held, spec)[:, known_frames:]


class _Columns:
    """The loudest power of equal numbers of frames, at most `MAX_COLUMNS` of them."""

    def __init__(self, rows: int) -> None:
        self.frames_per_column = 1
        self._frames = 0
        self._columns = np.zeros((rows, MAX_COLUMNS), np.float32)

    def add(self, power: Float32) -> None:
        first, self._frames = self._frames, self._frames + power.shape[1]
        while self._frames > MAX_COLUMNS * self.frames_per_column:
            self._join_pairs()
        at = np.arange(first, self._frames) // self.frames_per_column
        begins = np.flatnonzero(np.diff(at, prepend=-1))
        loudest = np.maximum.reduceat(power, begins, axis=1)
        self._columns[:, at[begins]] = np.maximum(self._columns[:, at[begins]], loudest)

    def filled(self) -> Float32:
        return self._columns[:, : -(-self._frames // self.frames_per_column)]

    def _join_pairs(self) -> None:
        joined = np.maximum(self._columns[:, 0::2], self._columns[:, 1::2])
        self._columns = np.concatenate([joined, np.zeros_like(joined)], axis=1)
        self.frames_per_column *= 2
