"""Any sound card's rate to the rate of the features, by a polyphase windowed-sinc low-pass with exact rational steps.

Flat to 1.8 kHz and 80 dB down from 2.2 kHz when the output is 4 kHz; the same shares of the rate otherwise. Between the
two edges the output folds onto itself, which the band-pass's upper edge keeps out of the features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

PASS_EDGE = 0.45
"""Of the output rate: 1.8 kHz at 4 kHz."""
STOP_EDGE = 0.55
"""Of the output rate: what lies above folds back below `PASS_EDGE`."""
ATTENUATION_DB = 90.0
"""Ten more than promised: Kaiser's formula for the length is an estimate."""
BLOCK_OUTPUTS = 512
"""Outputs computed at once: their inputs stay in the processor's cache."""


@dataclass(frozen=True)
class Resampler:
    """A designed rate change: `step_down / step_up` input samples for each output sample."""

    step_up: int
    step_down: int
    taps: Float32
    """[step_up, length]: one low-pass for each position that an output can have between two inputs; empty if the rates
    are equal.
    """

    def initial_state(self) -> ResamplerState:
        """Before the first sample: silence reaches back half the filter, so that output 0 lies at input 0."""
        return ResamplerState(pending=np.zeros(max(self.taps.shape[1] // 2 - 1, 0), np.float32), phase=0)


@dataclass(frozen=True)
class ResamplerState:
    """What a stream must remember between chunks."""

    pending: Float32
    """Input samples from the first one that the next output needs."""
    phase: int
    """Position of the next output between two inputs, in 1 / step_up of an input sample."""


def design_resampler(input_rate_hz: int, output_rate_hz: int) -> Resampler:
    """A resampler from `input_rate_hz` to a rate no higher. Raises ValueError otherwise."""
    if not 0 < output_rate_hz <= input_rate_hz:
        raise ValueError(f"cannot resample {input_rate_hz} Hz to {output_rate_hz} Hz: only to the same or a lower rate")
    common = math.gcd(input_rate_hz, output_rate_hz)
    step_up, step_down = output_rate_hz // common, input_rate_hz // common
    if step_up == step_down:
        return Resampler(1, 1, np.zeros((1, 0), np.float32))
    return Resampler(step_up, step_down, _polyphase_taps(step_up, input_rate_hz, output_rate_hz))


def resample(chunk: Float32, state: ResamplerState, design: Resampler) -> tuple[Float32, ResamplerState]:
    """The output samples that the next input samples complete.

    Parameters: `chunk` float32 [n], any n. Returns: float32 outputs, half a filter (7 ms) behind the input, and the new
    state.
    """
    if design.taps.size == 0:
        return np.asarray(chunk, dtype=np.float32), state
    samples = np.concatenate([state.pending, chunk], dtype=np.float32)
    count = _complete_outputs(samples.size, state.phase, design)
    positions = state.phase + design.step_down * np.arange(count + 1)
    outputs = _filter_at(samples, positions[:-1], design)
    end, phase = divmod(int(positions[-1]), design.step_up)
    return outputs, ResamplerState(samples[end:].copy(), phase)


def finish_resampling(state: ResamplerState, design: Resampler) -> Float32:
    """The outputs still waiting for input when the stream ends: what lies beyond is taken as silence."""
    silence = np.zeros(design.taps.shape[1] // 2, np.float32)
    return resample(silence, state, design)[0]


def _polyphase_taps(step_up: int, input_rate_hz: int, output_rate_hz: int) -> Float32:
    transition_rad = 2 * np.pi * (STOP_EDGE - PASS_EDGE) * output_rate_hz / input_rate_hz
    half = math.ceil((ATTENUATION_DB - 7.95) / (2.285 * transition_rad) / 2)
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    distance = np.arange(1 - half, half + 1) - np.arange(step_up)[:, np.newaxis] / step_up
    window = np.i0(beta * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, None)))
    taps = np.sinc(distance * output_rate_hz / input_rate_hz) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), dtype=np.float32)


def _complete_outputs(available: int, phase: int, design: Resampler) -> int:
    last_start = available - design.taps.shape[1]
    if last_start < 0:
        return 0
    return int((last_start + 1) * design.step_up - 1 - phase) // design.step_down + 1


def _filter_at(samples: Float32, positions: NDArray[np.int64], design: Resampler) -> Float32:
    starts, phases = np.divmod(positions, design.step_up)
    outputs = np.empty(positions.size, np.float32)
    if positions.size == 0:
        return outputs
    inputs = sliding_window_view(samples, design.taps.shape[1])
    for begin in range(0, positions.size, BLOCK_OUTPUTS):
        block = slice(begin, begin + BLOCK_OUTPUTS)
        np.einsum("nt,nt->n", inputs[starts[block]], design.taps[phases[block]], out=outputs[block])
    return outputs
