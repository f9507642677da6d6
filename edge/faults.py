"""Which samples of a stream were lost, invalid or clipped, by their place in it; every window counts its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock

LOST, INVALID, CLIPPED = 1, 2, 4
"""Bits of a sample's flags."""


@dataclass(frozen=True)
class FaultCounts:
    """The faulty samples in one stretch of sound."""

    lost: int
    invalid: int
    clipped: int
    samples: int
    """Length of the stretch."""
    sample_rate_hz: int

    @property
    def lost_s(self) -> float:
        """Time for which nothing arrived."""
        return self.lost / self.sample_rate_hz

    @property
    def clipped_share(self) -> float:
        """Clipped samples as a share of all."""
        return self.clipped / self.samples if self.samples else 0.0


@dataclass(frozen=True)
class FaultTrace:
    """The flags of a stream's latest samples."""

    sample_rate_hz: int
    first_sample: int = 0
    """Position in the stream of the first flag."""
    flags: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))


def extend_trace(trace: FaultTrace, block: AudioBlock) -> FaultTrace:
    """The trace with the next block's flags, the samples lost before it included."""
    flags = np.zeros(block.lost_samples + block.samples.size, np.uint8)
    flags[: block.lost_samples] = LOST
    flags[block.lost_samples + block.invalid_at] |= INVALID
    flags[block.lost_samples + block.clipped_at] |= CLIPPED
    return FaultTrace(trace.sample_rate_hz, trace.first_sample, np.concatenate([trace.flags, flags]))


def trace_from(trace: FaultTrace, start_s: float) -> FaultTrace:
    """The trace without what lies before `start_s`."""
    cut = max(int(start_s * trace.sample_rate_hz) - trace.first_sample, 0)
    return FaultTrace(trace.sample_rate_hz, trace.first_sample + cut, trace.flags[cut:])


def count_faults(trace: FaultTrace, start_s: float, end_s: float) -> FaultCounts:
    """The faults between two times of the stream."""
    start, end = (max(round(time_s * trace.sample_rate_hz) - trace.first_sample, 0) for time_s in (start_s, end_s))
    flags = trace.flags[start:end]
    lost, invalid, clipped = (int(np.count_nonzero(flags & bit)) for bit in (LOST, INVALID, CLIPPED))
    return FaultCounts(lost, invalid, clipped, flags.size, trace.sample_rate_hz)
