"""From a sound card's samples to conditioned sound: resampled to the features' rate, then band-passed (paper, section
2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.signal.bandpass import Bandpass, bandpass, design_bandpass
from edge.signal.resample import Resampler, ResamplerState, design_resampler, finish_resampling, resample
from edge.signal.spec import FeatureSpec

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Conditioner:
    """The designed chain for one input rate."""

    resampler: Resampler
    bandpass: Bandpass

    def initial_state(self) -> ConditionerState:
        """Before the first sample: silence."""
        return ConditionerState(self.resampler.initial_state(), self.bandpass.initial_state())


@dataclass(frozen=True)
class ConditionerState:
    """What a stream must remember between chunks."""

    resampler: ResamplerState
    bandpass: NDArray[np.float64]


@lru_cache(maxsize=8)
def design_conditioner(input_rate_hz: int, spec: FeatureSpec) -> Conditioner:
    """The chain from `input_rate_hz` to `spec`. Raises ValueError for a rate below the features'."""
    return Conditioner(
        design_resampler(input_rate_hz, spec.sample_rate_hz),
        design_bandpass(spec.bandpass_order, spec.bandpass_low_hz, spec.bandpass_high_hz, spec.sample_rate_hz),
    )


def condition(chunk: Float32, state: ConditionerState, conditioner: Conditioner) -> tuple[Float32, ConditionerState]:
    """The conditioned samples that the next chunk completes.

    Parameters: `chunk` float32 [n] at the input rate, any n. Returns: float32 samples at the features' rate and the new
    state.
    """
    return condition_in_steps(chunk, state, conditioner)[1:]


def condition_in_steps(
    chunk: Float32, state: ConditionerState, conditioner: Conditioner
) -> tuple[Float32, Float32, ConditionerState]:
    """As `condition`, with the samples between the two steps, resampled and not yet band-passed, before its results."""
    resampled, resampler_state = resample(chunk, state.resampler, conditioner.resampler)
    filtered, bandpass_state = bandpass(resampled, state.bandpass, conditioner.bandpass)
    return resampled, filtered.astype(np.float32), ConditionerState(resampler_state, bandpass_state)


def finish_conditioning(state: ConditionerState, conditioner: Conditioner) -> Float32:
    """The last samples, float32, that the resampler still holds when the stream ends."""
    resampled = finish_resampling(state.resampler, conditioner.resampler)
    return bandpass(resampled, state.bandpass, conditioner.bandpass)[0].astype(np.float32)


def condition_recording(samples: Float32, sample_rate_hz: int, spec: FeatureSpec) -> Float32:
    """A whole recording, float32 [n] at `sample_rate_hz`, as conditioned sound: the stream's result in one call."""
    conditioner = design_conditioner(sample_rate_hz, spec)
    conditioned, state = condition(samples, conditioner.initial_state(), conditioner)
    return np.concatenate([conditioned, finish_conditioning(state, conditioner)])
