"""Which samples of a stream were lost, invalid or clipped, by their place in it; every window counts its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from edge.audio.block import AudioBlock, Positions, no_positions


@dataclass(frozen=True)
class FaultCounts:
    """The faulty samples in one stretch of sound."""

    lost: int
    invalid: int
    clipped: int
    samples: int
    """Length of the stretch."""
    sample_rate_hz: int
    longest_gap: int = 0
    """Samples of the stretch that the longest of its gaps takes."""

    @property
    def lost_share(self) -> float:
        """Samples that never arrived as a share of all."""
        return self.lost / self.samples if self.samples else 0.0

    @property
    def longest_gap_s(self) -> float:
        """How long nothing arrived at a time."""
        return self.longest_gap / self.sample_rate_hz

    @property
    def clipped_share(self) -> float:
        """Clipped samples as a share of all."""
        return self.clipped / self.samples if self.samples else 0.0


@dataclass(frozen=True)
class FaultTrace:
    """The faults of a stream, as far back as somebody may ask; an hour without sound takes no more room than a click.

    Positions are sample numbers of the stream, lost samples counted.
    """

    sample_rate_hz: int
    end: int = 0
    """How many samples there were so far."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Start and end of each."""
    invalid_at: Positions = field(default_factory=no_positions)
    clipped_at: Positions = field(default_factory=no_positions)


def extend_trace(trace: FaultTrace, block: AudioBlock) -> FaultTrace:
    """The trace with the next block's faults, the samples lost before it included."""
    start = trace.end + block.lost_samples
    return FaultTrace(
        trace.sample_rate_hz,
        start + block.samples.size,
        _with_gap(trace.gaps, trace.end, start),
        _with_positions(trace.invalid_at, start, block.invalid_at),
        _with_positions(trace.clipped_at, start, block.clipped_at),
    )


def trace_from(trace: FaultTrace, start_s: float) -> FaultTrace:
    """The trace without what lies before `start_s`."""
    first = int(start_s * trace.sample_rate_hz)
    return replace(
        trace,
        gaps=tuple(gap for gap in trace.gaps if gap[1] > first),
        invalid_at=_from(trace.invalid_at, first),
        clipped_at=_from(trace.clipped_at, first),
    )


def count_faults(trace: FaultTrace, start_s: float, end_s: float) -> FaultCounts:
    """The faults between two times of the stream."""
    start, end = (min(max(round(time_s * trace.sample_rate_hz), 0), trace.end) for time_s in (start_s, end_s))
    inside = [max(min(gap_end, end) - max(gap_start, start), 0) for gap_start, gap_end in trace.gaps]
    return FaultCounts(
        lost=sum(inside),
        invalid=_count(trace.invalid_at, start, end),
        clipped=_count(trace.clipped_at, start, end),
        samples=max(end - start, 0),
        sample_rate_hz=trace.sample_rate_hz,
        longest_gap=max(inside, default=0),
    )


def _with_gap(gaps: tuple[tuple[int, int], ...], start: int, end: int) -> tuple[tuple[int, int], ...]:
    if start == end:
        return gaps
    if gaps and gaps[-1][1] == start:  # told in two parts, with no sound between them
        return (*gaps[:-1], (gaps[-1][0], end))
    return (*gaps, (start, end))


def _with_positions(known: Positions, start: int, positions: Positions) -> Positions:
    return np.concatenate([known, start + positions]) if positions.size else known


def _from(positions: Positions, first: int) -> Positions:
    kept = np.searchsorted(positions, first)
    return positions[kept:].copy() if kept else positions


def _count(positions: Positions, start: int, end: int) -> int:
    return int(np.searchsorted(positions, end) - np.searchsorted(positions, start)) if end > start else 0
