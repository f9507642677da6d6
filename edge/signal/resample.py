"""Any sound card's rate to the rate of the features, by a polyphase windowed-sinc low-pass with exact rational steps.

The low-pass's positions between two inputs come round again after `step_up` outputs. A group of outputs that spans one
or more such rounds is therefore one matrix product over its inputs, which BLAS does at once for many groups.

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
"""Outputs computed one by one in a row: their inputs stay in the processor's cache."""
GROUP_OUTPUTS = 32
"""Measured: with fewer outputs in a group BLAS has too little to do at once, with more it multiplies more zeros."""
MAX_GROUP_TAPS = 1 << 18
"""Rates with no round ratio to the output's would need a matrix of many megabytes; they are computed one by one."""


NO_GROUP = np.zeros((0, 1, 1), np.float32)


@dataclass(frozen=True)
class Resampler:
    """A designed rate change: `step_down / step_up` input samples for each output sample."""

    step_up: int
    step_down: int
    taps: Float32
    """[step_up, length]: one low-pass for each position that an output can have between two inputs; empty if the rates
    are equal.
    """
    group: Float32
    """[k, inputs of a group, outputs of a group]: the taps of a whole group's outputs for its own inputs and those of
    the k - 1 groups after it; empty where outputs are computed one by one.
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
        return Resampler(1, 1, np.zeros((1, 0), np.float32), NO_GROUP)
    taps = _polyphase_taps(step_up, input_rate_hz, output_rate_hz)
    return Resampler(step_up, step_down, taps, _group_taps(taps, step_down))


def resample(chunk: Float32, state: ResamplerState, design: Resampler) -> tuple[Float32, ResamplerState]:
    """The output samples that the next input samples complete.

    Parameters: `chunk` float32 [n], any n. Returns: float32 outputs, half a filter (7 ms) behind the input, and the new
    state.
    """
    if design.taps.size == 0:
        return np.asarray(chunk, dtype=np.float32), state
    samples = np.concatenate([state.pending, chunk], dtype=np.float32)
    count = _complete_outputs(samples.size, state.phase, design)
    filter_outputs = _filter_groups if design.group.size else _filter_one_by_one
    outputs = filter_outputs(samples, state.phase, count, design)
    end, phase = divmod(state.phase + design.step_down * count, design.step_up)
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


def _group_taps(taps: Float32, step_down: int) -> Float32:
    step_up, length = taps.shape
    rounds = math.ceil(GROUP_OUTPUTS / step_up)
    inputs, outputs = rounds * step_down, rounds * step_up
    starts, phases = np.divmod(step_down * np.arange(outputs), step_up)
    parts = math.ceil((int(starts[-1]) + length) / inputs)
    if parts * inputs * outputs > MAX_GROUP_TAPS:
        return NO_GROUP
    group = np.zeros((parts * inputs, outputs), np.float32)
    for output, (start, phase) in enumerate(zip(starts, phases, strict=True)):
        group[start : start + length, output] = taps[phase]
    return group.reshape(parts, inputs, outputs)


def _filter_groups(samples: Float32, phase: int, count: int, design: Resampler) -> Float32:
    """The next `count` outputs, the first of them at `phase` after the first of `samples`.

    Silence before and after completes the first and the last group; only outputs that are not wanted look at it.
    """
    parts, inputs, outputs = design.group.shape
    skipped = phase * pow(design.step_down, -1, design.step_up) % design.step_up
    lead = (design.step_down * skipped - phase) // design.step_up
    groups = -(-(skipped + count) // outputs)
    padded = np.zeros((groups + parts - 1) * inputs, np.float32)
    used = samples[: padded.size - lead]
    padded[lead : lead + used.size] = used
    rows = padded.reshape(-1, inputs)
    filtered = rows[:groups] @ design.group[0]
    for part in range(1, parts):
        filtered += rows[part : part + groups] @ design.group[part]
    return np.asarray(filtered.ravel()[skipped : skipped + count])


def _filter_one_by_one(samples: Float32, phase: int, count: int, design: Resampler) -> Float32:
    """The same for a rate whose groups would be too long."""
    starts, phases = np.divmod(phase + design.step_down * np.arange(count), design.step_up)
    outputs = np.empty(count, np.float32)
    if count == 0:
        return outputs
    inputs = sliding_window_view(samples, design.taps.shape[1])
    for begin in range(0, count, BLOCK_OUTPUTS):
        block = slice(begin, begin + BLOCK_OUTPUTS)
        np.einsum("nt,nt->n", inputs[starts[block]], design.taps[phases[block]], out=outputs[block])
    return outputs
