"""Log-mel levels in NumPy, as librosa's `melspectrogram` and `power_to_db(ref=np.max)` compute them (Slaney scale and
area norm).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.signal.spec import FeatureSpec

Float32 = NDArray[np.float32]

POWER_FLOOR = 1e-10
"""librosa's `amin`: keeps the logarithm of silence finite."""
FRAMES_AT_ONCE = 56
"""Measured: 112 KB of intermediates stay in cache; a whole window's cost more in fresh pages than in arithmetic."""


def mel_levels_db(window: Float32, spec: FeatureSpec) -> Float32:
    """Mel power in dB below its loudest point.

    Parameters: `window` float [n] of conditioned sound. Returns: the same dtype [n_mels, frames], lowest band first, 0
    at the loudest point and no lower than -`dynamic_range_db`.
    """
    power = mel_power(window, spec)
    levels = 10 * np.log10(np.maximum(power, POWER_FLOOR))
    levels -= levels.max()
    return np.asarray(np.maximum(levels, -spec.dynamic_range_db))


def mel_power(window: Float32, spec: FeatureSpec) -> Float32:
    """Power in each mel band, float [n_mels, frames]; frames are centred, with silence beyond both ends (librosa's
    default).
    """
    return np.asarray(mel_filterbank(spec) @ power_spectra(window, spec))


def power_spectra(window: Float32, spec: FeatureSpec) -> Float32:
    """Power of each frame's spectrum, float [1 + n_fft / 2, frames], for `window` float [n]."""
    # float64 costs little here and keeps bands 80 dB down within 1e-4 dB; a float32 transform errs by 1e-3 dB.
    length = spec.frame_samples or spec.n_fft
    padded = np.zeros(window.size + 2 * (length // 2))
    padded[length // 2 :][: window.size] = window
    frames = sliding_window_view(padded, length)[:: spec.hop_samples]
    power = np.empty((len(frames), 1 + spec.n_fft // 2), window.dtype)
    for first in range(0, len(frames), FRAMES_AT_ONCE):
        some = slice(first, first + FRAMES_AT_ONCE)
        parts = np.fft.rfft(frames[some] * hann_window(length), spec.n_fft, axis=1).view(np.float64)
        parts *= parts
        power[some] = parts[:, 0::2] + parts[:, 1::2]
    return power.T


@lru_cache(maxsize=8)
def hann_window(length: int) -> NDArray[np.float64]:
    """The periodic Hann window, float64 [length]."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length))


@lru_cache(maxsize=8)
def mel_filterbank(spec: FeatureSpec) -> Float32:
    """Triangular bands, float32 [n_mels, 1 + n_fft / 2]: of equal area in frequency (Slaney's Auditory Toolbox, as in
    librosa), or of height 1 on HTK's scale (Kaldi's `compute-fbank-feats`).
    """
    bins_hz = np.arange(1 + spec.n_fft // 2) * spec.sample_rate_hz / spec.n_fft
    if spec.mel_scale == "kaldi":
        return _triangles(kaldi_mel_from_hz(bins_hz), kaldi_mel_from_hz(_band_edges_hz(spec))).astype(np.float32)
    edges_hz = _band_edges_hz(spec)
    return (_triangles(bins_hz, edges_hz) * 2 / (edges_hz[2:] - edges_hz[:-2])[:, np.newaxis]).astype(np.float32)


def _triangles(bins: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each from 0 at an edge over 1 at the next to 0 at the one after it, float64 [len(edges) - 2, len(bins)]."""
    low, centre, high = edges[:-2, np.newaxis], edges[1:-1, np.newaxis], edges[2:, np.newaxis]
    return np.maximum(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0)


def band_centres_hz(spec: FeatureSpec) -> NDArray[np.float64]:
    """The frequency that each mel band peaks at, float64 [n_mels], lowest band first."""
    return _band_edges_hz(spec)[1:-1]


def _band_edges_hz(spec: FeatureSpec) -> NDArray[np.float64]:
    """Where the bands' triangles begin, peak and end, float64 [n_mels + 2]."""
    if spec.mel_scale == "kaldi":
        low, high = kaldi_mel_from_hz(np.array([spec.mel_low_hz, spec.mel_high_hz]))
        return np.asarray(700 * np.expm1(np.linspace(low, high, spec.n_mels + 2) / 1127))
    edges_mel = np.linspace(_mel_from_hz(spec.mel_low_hz), _mel_from_hz(spec.mel_high_hz), spec.n_mels + 2)
    return _hz_from_mel(np.asarray(edges_mel, np.float64))


def kaldi_mel_from_hz(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """HTK's and Kaldi's mel scale."""
    return np.asarray(1127 * np.log1p(frequency_hz / 700))


BREAK_HZ = 1000.0
"""Slaney's scale is linear below and logarithmic above."""
MEL_PER_HZ = 3 / 200
BREAK_MEL = BREAK_HZ * MEL_PER_HZ
LOG_STEP = np.log(6.4) / 27


def _mel_from_hz(frequency_hz: float) -> float:
    if frequency_hz < BREAK_HZ:
        return frequency_hz * MEL_PER_HZ
    return BREAK_MEL + float(np.log(frequency_hz / BREAK_HZ) / LOG_STEP)


def _hz_from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < BREAK_MEL, mel / MEL_PER_HZ, BREAK_HZ * np.exp(LOG_STEP * (mel - BREAK_MEL)))
