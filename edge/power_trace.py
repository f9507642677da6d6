"""Mean and power of a stream, in slots of a twentieth of a second: what a window is asked about without being kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

SLOTS_PER_S = 20


def _no_slots() -> Float64:
    return np.zeros((2, 0))


@dataclass(frozen=True)
class PowerTrace:
    """A stream's latest slots, and the samples of the slot that is not full yet."""

    sample_rate_hz: int
    first_slot: int = 0
    """Position in the stream of the first slot that is kept."""
    slots: Float64 = field(default_factory=_no_slots)
    """[2, slots]: mean and mean square of each."""
    rest: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def slot_samples(self) -> int:
        """A slot's length; a little under a twentieth of a second where the rate is no multiple of twenty."""
        return self.sample_rate_hz // SLOTS_PER_S


@dataclass(frozen=True)
class MeanAndPower:
    """Of one stretch of a stream."""

    mean: float
    power: float
    """Mean square about the mean, full scale being 1."""


def extend_powers(trace: PowerTrace, samples: NDArray[np.float32]) -> PowerTrace:
    """The trace with the next samples; how they are cut into pieces changes nothing but rounding."""
    known = np.concatenate([trace.rest, samples]) if trace.rest.size else samples
    count, length = known.size // trace.slot_samples, trace.slot_samples
    full, rest = known[: count * length].reshape(count, length), known[count * length :]
    if not count:
        return PowerTrace(trace.sample_rate_hz, trace.first_slot, trace.slots, rest.copy())
    # Products of float32 in short rows: BLAS's speed, and the error of a twentieth of a second's sum at most.
    ones = np.ones(length, np.float32)
    added = np.stack([full @ ones, np.einsum("st,st->s", full, full)]).astype(np.float64) / length
    return PowerTrace(trace.sample_rate_hz, trace.first_slot, np.hstack([trace.slots, added]), rest.copy())


def extend_powers_with_silence(trace: PowerTrace, samples: int) -> PowerTrace:
    """As `extend_powers` with so many zeros, at a cost that does not grow with them but by 16 bytes a slot."""
    fill = min(-trace.rest.size % trace.slot_samples, samples)
    filled = extend_powers(trace, np.zeros(fill, np.float32))
    slots, rest = divmod(samples - fill, trace.slot_samples)
    silent = np.hstack([filled.slots, np.zeros((2, slots))])
    return extend_powers(
        PowerTrace(trace.sample_rate_hz, trace.first_slot, silent, filled.rest), np.zeros(rest, np.float32)
    )


def powers_from(trace: PowerTrace, start_s: float) -> PowerTrace:
    """The trace without the slots that end before `start_s`."""
    cut = max(int(start_s * trace.sample_rate_hz) // trace.slot_samples - trace.first_slot, 0)
    cut = min(cut, trace.slots.shape[1])
    return PowerTrace(trace.sample_rate_hz, trace.first_slot + cut, trace.slots[:, cut:].copy(), trace.rest)


def maybe_mean_and_power(trace: PowerTrace, start_s: float, end_s: float) -> MeanAndPower | None:
    """Mean and power over the slots that lie wholly between two times of the stream; None where there is none."""
    slot_s = trace.slot_samples / trace.sample_rate_hz
    start, end = int(np.ceil(start_s / slot_s - 1e-9)), int(np.floor(end_s / slot_s + 1e-9))
    slots = trace.slots[:, max(start - trace.first_slot, 0) : max(end - trace.first_slot, 0)]
    if slots.shape[1] == 0:
        return None
    mean, mean_square = slots.mean(axis=1).tolist()
    return MeanAndPower(mean, max(mean_square - mean * mean, 0.0))
