"""Samples in their places: gaps marked, duplicates dropped, restarts and wrapping counters unrolled into one stream.

The stream counts every sample since its first, those that never arrived too. A device's sample_index says where its
samples belong while it counts on; where it begins anew, or leaps by more than can have passed, the host's clock says
how long the gap was. Sound comes out with the frame that brings it; only behind a gap, and only where frames may
overtake each other, it waits for one more frame, or for `MAX_HELD_S`.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.clocks import RateEstimate, RateMeter, signed
from firmware_bridge.gaps import BEFORE_S, MAX_BRIDGED_S, bridge

Float32 = NDArray[np.float32]

MAX_LEAP_S = 2.0
"""What sound may have been held up by on the way; an index that leaps further ahead of the host's clock is no gap."""
MAX_LATE_FRAMES = 64
"""What comes after a gap was told is late; a frame further back by its seq belongs to another count."""
MAX_HELD_S = 0.05
"""A device that stops behind a gap does not take its last frame along."""
LATENESS_S = 0.5
"""Left open while a device is away: what comes next may have been recorded well before it arrives."""


@dataclass(frozen=True)
class Sound:
    """What an AUDIO frame brings."""

    sample_index: int
    """32 bits, wrapping."""
    seq: int
    """16 bits, wrapping."""
    samples: Float32
    """float32 [n, channels]."""
    flags: int = 0
    """As `AudioFlag`."""


@dataclass(frozen=True)
class Chunk:
    """The stream's next samples; `start_sample - lost_before` is where the chunk before it ended."""

    start_sample: int
    """Number in the stream of the first of `samples`."""
    samples: Float32
    """float32 [n, channels]; n may be 0."""
    bridged: int = 0
    """So many of the first samples never arrived; a straight line stands for them."""
    lost_before: int = 0
    """So many samples before these never arrived, and nothing stands for them."""
    flags: int = 0
    """As `AudioFlag`."""
    anew: bool = False
    """The device began to count anew; `lost_before` is by the host's clock."""

    @property
    def end_sample(self) -> int:
        """Number in the stream of the sample after these."""
        return self.start_sample + len(self.samples)


@dataclass
class TimelineCounters:
    """What became of frames of sound, and what never came."""

    duplicates: int = 0
    """Frames that were there already."""
    late: int = 0
    """Frames that came after their gap had been told."""
    reordered: int = 0
    """Frames that were overtaken and put back in their place."""
    bridged_samples: int = 0
    lost_samples: int = 0
    """Not bridged."""
    gaps: int = 0
    """Bridged or not; restarts are none."""
    restarts: int = 0
    """How often the count began anew after the first time."""


@dataclass(order=True)
class _Held:
    start: int
    turn: int
    """Which frame of those that arrived it is."""
    arrived_s: float
    sound: Sound = field(compare=False)


class Timeline:
    """One device's stream, from its first sample on, however often it starts anew."""

    def __init__(self, sample_rate_hz: float, reorder_frames: int = 0) -> None:
        """`reorder_frames`: for how many frames one may wait that overtook another; 0 where none can."""
        self.position = 0
        """Where the next chunk begins, what it loses included."""
        self.counters = TimelineCounters()
        self._rate_hz = sample_rate_hz
        self._reorder_frames = reorder_frames
        self._held: list[_Held] = []
        self._turn = 0
        self._none: Float32 | None = None
        """No samples, of as many channels as the sound has."""
        self._recent: deque[Float32] = deque()
        self._recent_samples = 0
        self._seqs = deque([0], maxlen=MAX_LATE_FRAMES)
        self._newest_seq = 0
        self._offset = 0
        """Number in the stream of the sample that the device counts as 0."""
        self._run_start = 0
        self._end_s: float | None = None
        """When the stream reached its position by the host's clock, held frames included; None before any sound."""
        self._anew = True
        self._meter = RateMeter(sample_rate_hz)

    def place(self, sound: Sound, now_s: float) -> list[Chunk]:
        """The chunks that a frame completes, which arrived at `now_s`."""
        if self._is_restart(sound, now_s):
            chunks = [*self.release(), self._restart(sound, now_s)]
        else:
            self._hold(sound, now_s)
            chunks = self._due(self._reorder_frames)
        return chunks

    def overdue(self, now_s: float) -> list[Chunk]:
        """What was held for `MAX_HELD_S`."""
        return self.release() if self._held and now_s - min(held.arrived_s for held in self._held) >= MAX_HELD_S else []

    def release(self) -> list[Chunk]:
        """Everything that was held."""
        return self._due(0)

    @property
    def waits(self) -> bool:
        """Something is held for a frame that it may have overtaken."""
        return bool(self._held)

    def begin(self) -> None:
        """The device counts from 0 again, with the next frame or one of the next."""
        self._anew = True

    def pass_time(self, now_s: float) -> list[Chunk]:
        """What is certainly lost by `now_s` while a device is away; what comes next is a restart. At most one chunk."""
        self._anew = True
        chunks = self.release()
        missing = 0 if self._end_s is None else int((now_s - self._end_s - LATENESS_S) * self._rate_hz)
        if missing > 0 and self._none is not None and self._end_s is not None:
            self._end_s += missing / self._rate_hz
            chunks.append(self._chunk(self._none, lost=missing))
        return chunks

    def maybe_index(self, sample: int) -> int | None:
        """What the device counts as a sample of the stream, 32 bits; None where that was before it began anew."""
        return (sample - self._offset) % (1 << 32) if sample >= self._run_start else None

    def maybe_rate(self) -> RateEstimate | None:
        """The device's rate by the host's clock since it began to count, once that is known."""
        return self._meter.maybe_estimate()

    def _is_restart(self, sound: Sound, now_s: float) -> bool:
        if self._anew or self._end_s is None:
            return True
        ahead_s = self._ahead(sound) / self._rate_hz
        if ahead_s >= 0:
            return ahead_s > now_s - self._end_s + MAX_LEAP_S
        behind_frames = -signed(sound.seq - self._newest_seq, 16)
        return not (0 <= behind_frames <= MAX_LATE_FRAMES and -ahead_s <= MAX_LEAP_S)

    def _ahead(self, sound: Sound) -> int:
        """How many samples before these have not come out."""
        return signed(sound.sample_index - (self.position - self._offset), 32)

    def _restart(self, sound: Sound, now_s: float) -> Chunk:
        """The first frame of a count, behind a gap as long as the host's clock says; at least one sample, as a mark."""
        lost = 0
        if self._end_s is not None:
            lost = max(round((now_s - self._end_s) * self._rate_hz) - len(sound.samples), 1)
            self.counters.restarts += 1
        self._anew = False
        self._run_start = self.position + lost
        self._offset = self._run_start - sound.sample_index
        self._meter = RateMeter(self._rate_hz)
        self._seqs.append(sound.seq)
        self._newest_seq = sound.seq
        self._note_arrival(self._run_start + len(sound.samples), now_s)
        return replace(self._chunk(sound.samples, lost=lost, flags=sound.flags), anew=True)

    def _hold(self, sound: Sound, now_s: float) -> None:
        self._turn += 1
        held = _Held(self.position + self._ahead(sound), self._turn, now_s, sound)
        if held.start < self.position:
            self.counters.duplicates += sound.seq in self._seqs
            self.counters.late += sound.seq not in self._seqs
        elif any(other.start == held.start for other in self._held):
            self.counters.duplicates += 1
        else:
            insort(self._held, held)
            self._seqs.append(sound.seq)
            if self._held[-1] is held:
                self._newest_seq = sound.seq
                self._note_arrival(held.start + len(sound.samples), now_s)
            else:
                self.counters.reordered += 1

    def _note_arrival(self, end: int, now_s: float) -> None:
        self._end_s = now_s
        self._meter.add(end, now_s)

    def _due(self, may_wait: int) -> list[Chunk]:
        """What follows without a gap, and what has waited for `may_wait` frames, with all before it."""
        chunks = []
        while self._held and (self._held[0].start <= self.position or self._waited() >= may_wait):
            held = self._held.pop(0)
            if held.start >= self.position:
                chunks.append(self._behind_gap(held.sound, held.start - self.position))
            else:  # its first samples were in another frame
                self.counters.duplicates += 1
        return chunks

    def _waited(self) -> int:
        """How many frames arrived after the one that is held longest."""
        return self._turn - min(held.turn for held in self._held)

    def _behind_gap(self, sound: Sound, missing: int) -> Chunk:
        self.counters.gaps += missing > 0
        if missing > MAX_BRIDGED_S * self._rate_hz or not self._recent or not len(sound.samples):
            return self._chunk(sound.samples, lost=missing, flags=sound.flags)
        self.counters.bridged_samples += missing
        samples = sound.samples
        if missing:
            samples = np.concatenate([self._bridge_to(samples, missing), samples])
        return self._chunk(samples, bridged=missing, flags=sound.flags)

    def _bridge_to(self, samples: Float32, missing: int) -> Float32:
        """float32 [missing, channels], each channel by itself."""
        before = np.concatenate(self._recent)[-round(BEFORE_S * self._rate_hz) :]
        return np.stack([bridge(one, other, missing) for one, other in zip(before.T, samples.T, strict=True)], axis=1)

    def _remember(self, samples: Float32) -> None:
        """Keep what the bridge over the next gap begins at."""
        self._recent.append(samples)
        self._recent_samples += len(samples)
        while self._recent_samples - len(self._recent[0]) >= BEFORE_S * self._rate_hz:
            self._recent_samples -= len(self._recent.popleft())

    def _chunk(self, samples: Float32, *, bridged: int = 0, lost: int = 0, flags: int = 0) -> Chunk:
        chunk = Chunk(self.position + lost, samples, bridged, lost, flags)
        self.counters.lost_samples += lost
        self.position = chunk.end_sample
        if lost:
            self._recent.clear()
            self._recent_samples = 0
        if len(samples):
            self._none = samples[:0]
            self._remember(samples)
        return chunk
