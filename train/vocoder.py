"""Moving frequencies without touching durations: a phase vocoder over all frames of a window at once.

Every frequency of the output is the input's spectrum at the frequency that it comes from, turned by the phase that the
move has gained since the beginning (Flanagan and Golden, "Phase vocoder", 1966; turning the frames' own phases instead
of building new ones is from Laroche and Dolson, "New phase-vocoder techniques for pitch-shifting", 1999). So nothing
changes where nothing moves, and a click stays a click better than by stretching and resampling, as librosa does it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Complex64 = NDArray[np.complex64]

_FRAME = 256
"""Samples of a frame: 64 ms at 4 kHz, as `n_fft` of the features, so that crackles are blurred no more than there."""
_HOP = _FRAME // 4
"""The phase between frames is unambiguous over the main lobe of a Hann window up to a quarter of a frame."""
_BINS = np.arange(_FRAME // 2 + 1)
_TURN_PER_BIN = 2 * np.pi * _HOP / _FRAME
"""Phase, in radians, that bin 1 gains from one frame to the next."""
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)).astype(np.float32)
_OVERLAP_GAIN = np.float32(1.5)
"""What squared Hann windows at a quarter of their length add up to."""
_CENTRING = np.where(_BINS % 2, -1, 1).astype(np.float32)
"""Brings phases to the middle of the frame, where they are alike over a partial's main lobe and may be interpolated."""


def move_frequencies(samples: Float32, knots: Sequence[float], moved: Sequence[float]) -> Float32:
    """The sound with its frequency axis bent: what was at `knots` is at `moved`, and evenly between.

    Parameters: `samples` float32 [n]; `knots` and `moved` in shares of half the sample rate, rising, both from 0; what
    is moved past 1 is dropped. Returns: float32 [n], as long as before.
    """
    half_frame = len(_BINS) - 1
    targets = np.interp(_BINS / half_frame, knots, moved) * half_frame
    sources = np.interp(_BINS / half_frame, moved, knots, right=np.inf) * half_frame
    spectra = _spectra(samples)
    bent = _interpolated(spectra, sources)
    bent *= _turns(spectra, targets, sources)
    return _overlap_added(bent, samples.size)


def _spectra(samples: Float32) -> Complex64:
    """Centred spectra, complex64 [frames, bins], of frames that cover every sample four times."""
    ahead = _FRAME - _HOP
    frames = -(-(samples.size + ahead) // _HOP)
    padded = np.zeros((frames - 1) * _HOP + _FRAME, dtype=np.float32)
    padded[ahead : ahead + samples.size] = samples
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    spectra: Complex64 = np.asarray(np.fft.rfft(cut * _HANN), dtype=np.complex64)
    spectra *= _CENTRING
    return spectra


def _turns(spectra: Complex64, targets: Float64, sources: Float64) -> Complex64:
    """Unit phasors, complex64 [frames, bins]: the phase that each output bin has gained by its move."""
    nearest = np.minimum(np.rint(sources), _BINS[-1]).astype(np.int64)
    advance = np.exp(-1j * _TURN_PER_BIN * _BINS).astype(np.complex64)
    steps = np.conj(spectra[:-1])
    steps *= spectra[1:]
    steps *= advance
    off_centre = np.zeros(spectra.shape, dtype=np.float32)
    np.arctan2(steps.imag, steps.real, out=off_centre[1:])
    stretch = np.gradient(targets)[nearest] - 1
    gained = off_centre[:, nearest]
    gained *= stretch.astype(np.float32)
    # Whole turns do not count; without them a float32 sum over a window keeps its digits.
    gained += np.remainder(_TURN_PER_BIN * (targets - _BINS)[nearest], 2 * np.pi).astype(np.float32)
    phases = np.cumsum(gained, axis=0, out=gained)
    turns = np.empty(spectra.shape, dtype=np.complex64)
    np.cos(phases, out=turns.real)
    np.sin(phases, out=turns.imag)
    return turns


def _interpolated(spectra: Complex64, sources: Float64) -> Complex64:
    below = np.minimum(sources, _BINS[-1] - 1).astype(np.int64)
    share = np.minimum(sources - below, 1).astype(np.float32)
    bent = spectra[:, below]
    bent += (spectra[:, below + 1] - bent) * share
    bent[:, sources > _BINS[-1]] = 0
    return bent


def _overlap_added(spectra: Complex64, length: int) -> Float32:
    spectra *= _CENTRING
    frames = np.fft.irfft(spectra, _FRAME)
    frames *= _HANN
    parts = _FRAME // _HOP
    blocks = np.zeros((len(frames) + parts - 1, _HOP), dtype=np.float32)
    for part in range(parts):
        blocks[part : part + len(frames)] += frames[:, part * _HOP : (part + 1) * _HOP]
    return np.asarray(blocks.ravel()[_FRAME - _HOP :][:length] / _OVERLAP_GAIN)
