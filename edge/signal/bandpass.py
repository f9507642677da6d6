"""The Butterworth band-pass over a stream, without a Python loop over samples.

A cascade of second-order sections is a linear system with ten numbers of memory. Over a block of samples its output is
`block @ response + memory @ observe`, two matrix products that BLAS does at once for many blocks. The memory itself
goes from block to block as a prefix sum, in rounds that each double how far back it reaches. Shorter blocks use the
leading part of the same matrices, so no sample waits for a block to fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.signal.butterworth import butterworth_bandpass_sos

Float64 = NDArray[np.float64]

BLOCK_SAMPLES = 64
"""Measured: longer blocks spend their time in `response`, shorter ones in carrying the memory."""
BLOCKS_AT_ONCE = 220
"""Measured: 110 KB of intermediates stay in cache; those of a whole window cost more in fresh pages."""
FORGOTTEN = 1e-18
"""What is left of a memory beneath this share adds nothing to a float64 sum."""


@dataclass(frozen=True)
class Bandpass:
    """A designed filter: matrices of its linear system over one block of `BLOCK_SAMPLES` (m = memory size, 2 a
    section), all to be multiplied by rows of samples or memory from the left.
    """

    response: Float64
    """[block, block] upper triangular Toeplitz: the impulse response."""
    observe: Float64
    """[m, block]: what the memory adds to each sample of the block."""
    absorb: Float64
    """[block, m]: what each sample of the block adds to the memory after it."""
    advance: Float64
    """[block + 1, m, m]: the memory after k samples of silence."""
    carry: tuple[Float64, ...]
    """[m, m] each: the memory after 1, 2, 4, ... blocks of silence, until it is forgotten."""

    def initial_state(self) -> Float64:
        """The memory of a filter that has heard only silence, float64 [m]."""
        return np.zeros(len(self.observe))


def design_bandpass(order: int, low_hz: float, high_hz: float, sample_rate_hz: float) -> Bandpass:
    """A Butterworth band-pass of the given prototype order with -3 dB edges `low_hz` and `high_hz` (paper, section
    2).
    """
    system = _cascade(butterworth_bandpass_sos(order, low_hz, high_hz, sample_rate_hz))
    return _over_a_block(*system)


def bandpass(chunk: NDArray[np.floating], state: Float64, design: Bandpass) -> tuple[Float64, Float64]:
    """Filter the next samples of a stream.

    Parameters: `chunk` real [n], any n; `state` float64 [m] from `initial_state` or the previous call.
    Returns: float64 [n] and the state after it. Cutting a stream elsewhere changes the result by rounding only.
    """
    filtered = np.empty(chunk.size)
    whole = chunk.size // BLOCK_SAMPLES * BLOCK_SAMPLES
    for first in range(0, whole, BLOCKS_AT_ONCE * BLOCK_SAMPLES):
        some = slice(first, min(first + BLOCKS_AT_ONCE * BLOCK_SAMPLES, whole))
        blocks = chunk[some].astype(np.float64).reshape(-1, BLOCK_SAMPLES)
        state = _fill_blocks(filtered[some].reshape(blocks.shape), blocks, state, design)
    if whole < chunk.size:
        filtered[whole:], state = _filter_short(chunk[whole:].astype(np.float64), state, design)
    return filtered, state


def _fill_blocks(filtered: Float64, blocks: Float64, state: Float64, design: Bandpass) -> Float64:
    """Filter `blocks` [n, block] into `filtered`; returns the state after them."""
    memories = np.concatenate([state[np.newaxis], blocks @ design.absorb])
    for doubling, carry in enumerate(design.carry):
        reach = 2**doubling
        memories[reach:] += memories[:-reach] @ carry
    np.matmul(blocks, design.response, out=filtered)
    filtered += memories[:-1] @ design.observe
    return np.asarray(memories[-1])


def _filter_short(samples: Float64, state: Float64, design: Bandpass) -> tuple[Float64, Float64]:
    count = samples.size
    filtered = samples @ design.response[:count, :count] + state @ design.observe[:, :count]
    return filtered, state @ design.advance[count] + samples @ design.absorb[-count:]


def _cascade(sos: Float64) -> tuple[Float64, Float64, Float64, float]:
    """State-space matrices (A, B, C, D) of the sections in series, each in transposed direct form II."""
    size = 2 * len(sos)
    transition, drive, output, through = np.zeros((size, size)), np.zeros(size), np.zeros(size), 1.0
    for index, (b0, b1, b2, _, a1, a2) in enumerate(sos):
        here = slice(2 * index, 2 * index + 2)
        feed = np.array([b1 - a1 * b0, b2 - a2 * b0])
        transition[here] += np.outer(feed, output)
        transition[here, here] += np.array([[-a1, 1.0], [-a2, 0.0]])
        drive[here] = feed * through
        output, through = output * b0, through * b0
        output[2 * index] += 1.0
    return transition, drive, output, through


def _over_a_block(transition: Float64, drive: Float64, output: Float64, through: float) -> Bandpass:
    powers = [np.eye(len(transition))]
    for _ in range(BLOCK_SAMPLES):
        powers.append(transition @ powers[-1])
    before = np.array(powers[:-1])
    observe, absorb = (output @ before).T, (before @ drive)[::-1]
    impulse = np.concatenate([[through], drive @ observe[:, :-1]])
    lag = np.arange(BLOCK_SAMPLES) - np.arange(BLOCK_SAMPLES)[:, np.newaxis]
    response = np.where(lag >= 0, impulse[np.abs(lag)], 0.0)
    advance = np.ascontiguousarray(np.swapaxes(powers, 1, 2))
    observe, absorb = np.ascontiguousarray(observe), np.ascontiguousarray(absorb)
    return Bandpass(response, observe, absorb, advance, _doublings(advance[-1]))


def _doublings(over_a_block: Float64) -> tuple[Float64, ...]:
    powers = [over_a_block]
    while np.abs(powers[-1]).max() > FORGOTTEN:
        powers.append(powers[-1] @ powers[-1])
    return tuple(powers[:-1])
