"""A stream in slots of a twentieth of a second: mean, power, and whether it stood still. What a window's samples before
conditioning were like can then be asked without keeping them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import FULL_SCALE

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

SLOTS_PER_S = 20
CELLS_PER_SLOT = 10
"""Whether the stream stood still is asked of each two-hundredth of a second."""


@dataclass(frozen=True)
class SlotTrace:
    """A stream's latest slots, and the samples of the slot that is not full yet."""

    sample_rate_hz: int
    first_slot: int = 0
    """Position in the stream of the first slot that is kept."""
    slots: Float64 = field(default_factory=lambda: np.zeros((3, 0)))
    """[3, slots]: mean, mean square, and the share for which all samples were equal."""
    rest: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def slot_samples(self) -> int:
        """A slot's length; a little under a twentieth of a second where the rate is no multiple of twenty."""
        return self.sample_rate_hz // SLOTS_PER_S


@dataclass(frozen=True)
class SlotMeans:
    """Over the slots of one stretch of a stream."""

    mean: float
    power: float
    """Mean square about the mean, full scale being 1."""
    still_s: float
    """For how long all samples were equal and not at full scale, as no microphone's are: a program filled in what was
    missing.
    """
    still_share: float


def extend_slots(trace: SlotTrace, samples: Float32) -> SlotTrace:
    """The trace with the next samples; how they are cut into pieces changes nothing."""
    known = np.concatenate([trace.rest, samples]) if trace.rest.size else samples
    count, length = known.size // trace.slot_samples, trace.slot_samples
    full, rest = known[: count * length].reshape(count, length), known[count * length :]
    slots = np.hstack([trace.slots, _measure(full)]) if count else trace.slots
    return replace(trace, slots=slots, rest=rest.copy())


def extend_slots_with_silence(trace: SlotTrace, samples: int) -> SlotTrace:
    """As `extend_slots` with so many zeros, at a cost that grows by 24 bytes a slot and no more."""
    fill = min(-trace.rest.size % trace.slot_samples, samples)
    filled = extend_slots(trace, np.zeros(fill, np.float32))
    count, rest = divmod(samples - fill, trace.slot_samples)
    silence = np.outer([0.0, 0.0, 1.0], np.ones(count))
    return extend_slots(replace(filled, slots=np.hstack([filled.slots, silence])), np.zeros(rest, np.float32))


def slots_from(trace: SlotTrace, start_s: float) -> SlotTrace:
    """The trace without the slots that end before `start_s`."""
    cut = max(int(start_s * trace.sample_rate_hz) // trace.slot_samples - trace.first_slot, 0)
    cut = min(cut, trace.slots.shape[1])
    return replace(trace, first_slot=trace.first_slot + cut, slots=trace.slots[:, cut:].copy())


def maybe_slot_means(trace: SlotTrace, start_s: float, end_s: float) -> SlotMeans | None:
    """Over the slots that lie wholly between two times of the stream; None where there is none."""
    slot_s = trace.slot_samples / trace.sample_rate_hz
    start, end = int(np.ceil(start_s / slot_s - 1e-9)), int(np.floor(end_s / slot_s + 1e-9))
    slots = trace.slots[:, max(start - trace.first_slot, 0) : max(end - trace.first_slot, 0)]
    if slots.shape[1] == 0:
        return None
    mean, mean_square, still = slots.mean(axis=1).tolist()
    return SlotMeans(mean, max(mean_square - mean * mean, 0.0), still * slots.shape[1] * slot_s, still)


def _measure(slots: Float32) -> Float64:
    """[3, slots] of the samples float32 [slots, slot_samples]."""
    length = slots.shape[1]
    # float32 in short rows: BLAS's speed, and the rounding of a twentieth of a second's sum at most.
    sums = slots @ np.ones(length, np.float32), np.einsum("st,st->s", slots, slots)
    return np.stack([sums[0] / length, sums[1] / length, _still_shares(slots)]).astype(np.float64)


def _still_shares(slots: Float32) -> Float32:
    length = slots.shape[1] // CELLS_PER_SLOT
    cells = slots[:, : CELLS_PER_SLOT * length].reshape(-1, CELLS_PER_SLOT, length)
    # Few cells end as they began: only those are looked at whole.
    maybe_still = (cells[:, :, 0] == cells[:, :, -1]) & (np.abs(cells[:, :, 0]) < FULL_SCALE)
    still = np.zeros(maybe_still.shape, np.float32)
    still[maybe_still] = (cells[maybe_still] == cells[maybe_still][:, :1]).all(axis=1)
    return np.asarray(still.mean(axis=1), dtype=np.float32)
