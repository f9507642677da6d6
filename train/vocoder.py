"""Moving frequencies without touching durations: a phase vocoder over a whole window.

Every frequency of the output is the input's spectrum at the frequency that it comes from, turned by the phase that the
move has gained since the beginning (Flanagan and Golden, "Phase vocoder", 1966; turning the frames' own phases instead
of building new ones is from Laroche and Dolson, "New phase-vocoder techniques for pitch-shifting", 1999). So nothing
changes where nothing moves, and a click stays a click better than by stretching and resampling, as librosa does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Complex64 = NDArray[np.complex64]

_FRAME = 256
"""Samples of a frame: 64 ms at 4 kHz, as `n_fft` of the features, so that crackles are blurred no more than there."""
_HOP = _FRAME // 4
"""The phase between frames is unambiguous over the main lobe of a Hann window up to a quarter of a frame."""
_FRAMES_AT_ONCE = 96
"""What fits in a processor's cache, and in what an allocator reuses: measured, all at once takes half as long again."""
_BINS = np.arange(_FRAME // 2 + 1)
_TURN_PER_BIN = 2 * np.pi * _HOP / _FRAME
"""Phase, in radians, that bin 1 gains from one frame to the next."""
_OWN_ADVANCE = np.exp(-1j * _TURN_PER_BIN * _BINS).astype(np.complex64)
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)).astype(np.float32)
_OVERLAP_GAIN = np.float32(1.5)
"""What squared Hann windows at a quarter of their length add up to."""
_CENTRING = np.where(_BINS % 2, -1, 1).astype(np.float32)
"""Brings phases to the middle of the frame, where they are alike over a partial's main lobe and may be interpolated."""


@dataclass(frozen=True)
class FrequencyMap:
    """What is at `knots` goes to `moved`, and evenly between: shares of half the sample rate, rising, both from 0."""

    knots: tuple[float, ...]
    moved: tuple[float, ...]


def move_frequencies(samples: Float32, *maps: FrequencyMap) -> Float32:
    """The sound with its frequency axis bent by each of `maps` in turn, at the cost and the blur of one.

    `samples` is float32 [n], and so is what is returned; what is moved past half the sample rate is dropped.
    """
    cut, bend = _frames(samples), _bend(maps)
    blocks = np.zeros((len(cut) + _FRAME // _HOP - 1, _HOP), dtype=np.float32)
    spectrum, phases = np.zeros((1, _BINS.size), dtype=np.complex64), np.zeros(_BINS.size, dtype=np.float32)
    for first in range(0, len(cut), _FRAMES_AT_ONCE):
        # Where nothing is scaled, NumPy 2 takes float32 through float64 and four times as long: hence "ortho".
        spectra = np.asarray(np.fft.rfft(cut[first : first + _FRAMES_AT_ONCE] * _HANN, norm="ortho"), np.complex64)
        spectra *= _CENTRING
        gained = _phases(np.concatenate([spectrum, spectra]), phases, bend)
        _overlap_add(_moved(spectra, gained, bend), blocks[first:])
        spectrum, phases = spectra[-1:], gained[-1]
    return np.asarray(blocks.ravel()[_FRAME - _HOP :][: samples.size] / _OVERLAP_GAIN)


@dataclass(frozen=True)
class _Bend:
    """Where each output bin comes from; every array is [bins]."""

    below: NDArray[np.int64]
    """The input bin just below its source; the source lies `share` of a bin above."""
    share: Float32
    nearest: NDArray[np.int64]
    """The input bin whose frequency it goes by."""
    gain: Float32
    """Phase, in radians a frame, that a move from the middle of that bin gains."""
    stretch: Float32
    """What a frequency off that middle gains in addition, per phase."""
    beyond: NDArray[np.bool_]
    """Whether it comes from past half the sample rate."""


def _bend(maps: Sequence[FrequencyMap]) -> _Bend:
    last = _BINS[-1]
    targets = sources = _BINS / last
    for bend in maps:
        targets = np.interp(targets, bend.knots, bend.moved)
    for bend in reversed(maps):
        sources = np.interp(sources, bend.moved, bend.knots, right=np.inf)
    targets, sources = targets * last, sources * last
    below = np.minimum(sources, last - 1).astype(np.int64)
    nearest = np.minimum(np.rint(sources), last).astype(np.int64)
    return _Bend(
        below=below,
        share=np.minimum(sources - below, 1).astype(np.float32),
        nearest=nearest,
        # Whole turns do not count; without them a float32 sum over a window keeps its digits.
        gain=np.remainder(_TURN_PER_BIN * (targets - _BINS)[nearest], 2 * np.pi).astype(np.float32),
        stretch=(np.gradient(targets)[nearest] - 1).astype(np.float32),
        beyond=sources > last,
    )


def _frames(samples: Float32) -> Float32:
    """Frames, [k, _FRAME], that cover every sample four times; beyond its ends the sound is silent."""
    ahead = _FRAME - _HOP
    count = -(-(samples.size + ahead) // _HOP)
    padded = np.zeros((count - 1) * _HOP + _FRAME, dtype=np.float32)
    padded[ahead : ahead + samples.size] = samples
    return np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]


def _phases(spectra: Complex64, phases: Float32, bend: _Bend) -> Float32:
    """Phases gained up to each of `spectra` but the first, at which they were `phases`: float32 [frames - 1, bins]."""
    steps = np.conj(spectra[:-1])
    steps *= spectra[1:]
    steps *= _OWN_ADVANCE
    # Silence has negative zeros, whose angle is half a turn.
    steps += 0
    gained = np.arctan2(steps.imag, steps.real)[:, bend.nearest]
    gained *= bend.stretch
    gained += bend.gain
    gained[0] += phases
    return np.asarray(np.cumsum(gained, axis=0, out=gained))


def _moved(spectra: Complex64, phases: Float32, bend: _Bend) -> Complex64:
    moved = spectra[:, bend.below]
    moved += (spectra[:, bend.below + 1] - moved) * bend.share
    moved[:, bend.beyond] = 0
    turns = np.empty_like(moved)
    np.cos(phases, out=turns.real)
    np.sin(phases, out=turns.imag)
    moved *= turns
    moved *= _CENTRING
    return moved


def _overlap_add(spectra: Complex64, blocks: Float32) -> None:
    frames = np.fft.irfft(spectra, _FRAME, norm="ortho")
    frames *= _HANN
    for part in range(_FRAME // _HOP):
        blocks[part : part + len(frames)] += frames[:, part * _HOP : (part + 1) * _HOP]
