"""A stretch of sound, with where it is known to be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.events import Event

Float32 = NDArray[np.float32]
Positions = NDArray[np.int64]

FULL_SCALE = 1 - 2**-7
"""Magnitude from which a sample counts as clipped: the largest positive value that 8-bit sound can hold."""


def no_positions() -> Positions:
    """An empty list of sample numbers."""
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class AudioBlock:
    """Consecutive samples as they came from a source."""

    samples: Float32
    """float32 [n], mono, in [-1, 1]."""
    lost_samples: int = 0
    """How many samples were dropped just before this block."""
    invalid_at: Positions = field(default_factory=no_positions)
    """Positions in `samples` that were NaN or infinite and are 0 here."""
    clipped_at: Positions = field(default_factory=no_positions)
    """Positions in `samples` where at least one channel stood at full scale."""
    events: tuple[Event, ...] = ()
    """What happened to the source since the block before; a block may hold events and no samples."""


def block_from_channels(channels: Float32, lost_samples: int = 0) -> AudioBlock:
    """Mono sound, in [-1, 1] and finite, from float32 [frames, channels]: the mean of the channels.

    The mean, because a mono stethoscope on a stereo input may sit on either side. Clipping is looked for before it:
    afterwards a clipped channel beside a quiet one no longer reaches full scale.
    """
    finite = np.isfinite(channels)
    limited = np.clip(channels if finite.all() else np.where(finite, channels, np.float32(0)), -1, 1)
    equal_shares = np.full(channels.shape[1], 1 / channels.shape[1], np.float32)
    return AudioBlock(
        samples=np.dot(limited, equal_shares),  # measured: a mean over a short axis costs ten times as much
        lost_samples=lost_samples,
        invalid_at=no_positions() if finite.all() else np.flatnonzero(~finite.all(axis=1)),
        clipped_at=_clipped_at(limited),
    )


def _clipped_at(channels: Float32) -> Positions:
    # Looking for the loudest first spares most sound the search.
    if max(channels.max(initial=0), -channels.min(initial=0)) < FULL_SCALE:
        return no_positions()
    return np.flatnonzero((np.abs(channels) >= FULL_SCALE).any(axis=1))
