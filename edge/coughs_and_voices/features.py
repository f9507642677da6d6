"""What 64 ms of conditioned sound are like to the detector of coughs and voices, every 20 ms.

Two things are measured in each frame, neither of which depends on a recording's gain or on what lies under 125 Hz:

- how far twelve bands from 125 to 1800 Hz stand over the least that they held in the last four seconds, which also
  takes a stethoscope's steady frequency response away;
- how regularly the spectrum, measured from that rest upwards, is rippled by harmonics of 75 to 450 Hz: its
  autocorrelation at the periods of such pitches. A voice has many harmonics, a wheeze is one line or a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

SAMPLE_RATE_HZ = 4000
FRAME_SAMPLES = 256
HOP_SAMPLES = 80
HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
BAND_HZ = (125.0, 1800.0)
BANDS = 12
PERIODS = 32
PERIODS_SAMPLES = (9.0, 53.0)
"""Pitches from 444 down to 75 Hz."""
FEATURES = BANDS + PERIODS
SLOT_FRAMES = 25
REMEMBERED_SLOTS = 8
"""Of `SLOT_FRAMES` each: four seconds, a breath or more, in which every band has rested."""
SMALLEST_POWER = 1e-9
"""Of a bin of a frame, for the logarithm."""
SILENT_POWER = 5e-7
"""Of all bins of a frame: half of what rounding to 16 bits gives; nobody listened, which says nothing of the rest."""
MOST_OVER = 10.0
"""Nepers of power, 43 dB: no band stands further over its rest."""
REST_FACTOR = 10.0
"""Of a bin over the least that its band held: noise's own fluctuation, in which no ripple is looked for."""
LEAST_EXCESS = 4.0
"""Added to the sum over all bins, so that next to nothing over the rest has no ripple."""


@dataclass(frozen=True)
class FrameState:
    """What a stream must remember between chunks."""

    pending: Float32
    """float32 [n]: samples of which the next frames are made."""
    frames: int
    """How many frames there have been."""
    rests: Float32
    """float32 [slots, BANDS]: the least of each band in each slot that is over, at most `REMEMBERED_SLOTS`."""
    rest: Float32
    """float32 [BANDS]: the least of each band in the present slot; infinite before its first frame."""


def initial_frames() -> FrameState:
    """Before the first sample. The first frame is centred on it."""
    half = np.zeros(FRAME_SAMPLES // 2, np.float32)
    return FrameState(half, 0, np.zeros((0, BANDS), np.float32), np.full(BANDS, np.inf, np.float32))


def features_of(chunk: Float32, state: FrameState) -> tuple[Float32, FrameState]:
    """The features, float32 [k, FEATURES], of the frames that the next samples complete, and the new state.

    `chunk` is float32 [n] of conditioned sound at `SAMPLE_RATE_HZ`, any n. How a stream is cut changes nothing.
    """
    sound = np.concatenate([state.pending, chunk])
    count = max((sound.size - FRAME_SAMPLES) // HOP_SAMPLES + 1, 0)
    if count == 0:
        return np.zeros((0, FEATURES), np.float32), FrameState(sound, state.frames, state.rests, state.rest)
    powers = _powers(sound, count)
    levels = np.log(powers @ _bands())
    rest, rests, now = _rest_below(levels, powers.sum(axis=1) < SILENT_POWER, state)
    over = np.clip(levels - rest, 0, np.float32(MOST_OVER))
    features = np.hstack([over, _regularity(powers, rest)])
    return features, FrameState(sound[count * HOP_SAMPLES :], state.frames + count, rests, now)


def skip_silence(state: FrameState, samples: int) -> tuple[FrameState, int]:
    """The state after so many zeros behind zeros, and how many frames they completed; the bands' rest is forgotten.

    Long silence is a gap; what comes behind it need not be as quiet as what was before.
    """
    size = state.pending.size + samples
    count = max((size - FRAME_SAMPLES) // HOP_SAMPLES + 1, 0)
    pending = np.zeros(size - count * HOP_SAMPLES, np.float32)
    fresh = initial_frames()
    return FrameState(pending, state.frames + count, fresh.rests, fresh.rest), count


def _powers(sound: Float32, count: int) -> Float32:
    """float32 [count, bins] inside `BAND_HZ`."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME_SAMPLES)[::HOP_SAMPLES][:count]
    low, high = _edges()
    spectra = np.fft.rfft(frames * _hann(), axis=1)[:, low:high]
    return np.asarray(spectra.real**2 + spectra.imag**2 + np.float32(SMALLEST_POWER), np.float32)


def _rest_below(levels: Float32, silent: NDArray[np.bool_], state: FrameState) -> tuple[Float32, Float32, Float32]:
    """The least so far of each band at each frame, float32 [k, BANDS], and what is to be remembered of it."""
    heard = np.where(silent[:, np.newaxis], np.float32(np.inf), levels)
    least = np.empty_like(levels)
    rests, rest, first = state.rests, state.rest, 0
    while first < len(levels):
        room = SLOT_FRAMES - (state.frames + first) % SLOT_FRAMES
        own = heard[first : first + room]
        before = np.vstack([rests, rest]).min(axis=0)
        np.minimum(np.minimum.accumulate(own, axis=0), before, out=least[first : first + room])
        rest = np.minimum(rest, own.min(axis=0))
        if len(own) == room:
            rests, rest = np.vstack([rests, rest])[-REMEMBERED_SLOTS:], np.full(BANDS, np.inf, np.float32)
        first += room
    # Where nothing but silence was heard yet, nothing stands over it.
    return np.asarray(np.where(np.isfinite(least), least, levels), np.float32), rests, rest


def _regularity(powers: Float32, rest: Float32) -> Float32:
    """float32 [k, PERIODS], from -1 to 1: the autocorrelation of what stands over the rest, by its logarithm."""
    floor = np.exp(rest) / _bands().sum(axis=0) * np.float32(REST_FACTOR)
    excess = np.log1p(powers / (floor @ _bands().T)) * _taper()
    return np.asarray(excess @ _cosines() / (excess.sum(axis=1, keepdims=True) + np.float32(LEAST_EXCESS)), np.float32)


def _edges() -> tuple[int, int]:
    spacing_hz = SAMPLE_RATE_HZ / FRAME_SAMPLES
    return round(BAND_HZ[0] / spacing_hz), round(BAND_HZ[1] / spacing_hz) + 1


@lru_cache(maxsize=1)
def _hann() -> Float32:
    return np.hanning(FRAME_SAMPLES).astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> Float32:
    """float32 [bins, BANDS]: each bin belongs to one band; the bands grow with the frequency, as mel bands do."""
    low, high = _edges()
    bins_hz = np.arange(low, high) * SAMPLE_RATE_HZ / FRAME_SAMPLES
    mel = np.log1p(bins_hz / 700)
    number = np.minimum(((mel - mel[0]) / (mel[-1] - mel[0]) * BANDS).astype(int), BANDS - 1)
    return np.asarray(number[:, np.newaxis] == np.arange(BANDS), np.float32)


@lru_cache(maxsize=1)
def _taper() -> Float32:
    """float32 [bins]: rises over 60 Hz, falls towards 1500 Hz, so that the band's edges ripple little."""
    low, high = _edges()
    bins_hz = np.arange(low, high) * SAMPLE_RATE_HZ / FRAME_SAMPLES
    rising = np.clip((bins_hz - bins_hz[0] + 16) / 64, 0, 1)
    falling = np.cos(np.pi / 2 * np.clip((bins_hz - 400) / 1100, 0, 1))
    return np.asarray(rising * falling, np.float32)


@lru_cache(maxsize=1)
def _cosines() -> Float32:
    """float32 [bins, PERIODS]."""
    low, high = _edges()
    bins_hz = np.arange(low, high) * SAMPLE_RATE_HZ / FRAME_SAMPLES
    periods_s = np.linspace(*PERIODS_SAMPLES, PERIODS) / SAMPLE_RATE_HZ
    return np.asarray(np.cos(2 * np.pi * np.outer(bins_hz, periods_s)), np.float32)
