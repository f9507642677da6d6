"""The image of networks that were trained on AudioSet: log-mel levels on a fixed scale, one step 0.27 dB.

EfficientAT (Schmid et al., "Efficient large-scale audio tagging via transformer-to-CNN knowledge distillation", ICASSP
2023) hears 32 kHz: pre-emphasis 0.97, Hann window of 25 ms every 10 ms, FFT of 1024, Kaldi's bands, and takes
`(ln(power + 1e-5) + 4.5) / 5`. At 4 kHz an FFT of 128 has the same bins, their power times 64 the same size, and
pre-emphasis is a gain of each bin.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.signal.mel import hann_window, mel_filterbank, power_spectra
from edge.signal.spec import FeatureSpec

Float32 = NDArray[np.float32]

ORIGINAL_RATE_HZ = 32_000
"""Of the sound that those networks were trained on."""
RMS_LEVEL = 0.05
"""Each window is brought to this level above `LEVEL_FROM_HZ`: a stethoscope's gain says nothing, and AudioSet's clips
are about as loud."""
LEVEL_FROM_HZ = 125.0
"""Below lie heart sounds, and what other recorders' filters took away."""
POWER_FLOOR = 1e-5
STEPS_PER_NEPER = 16.0
"""255 steps reach from the floor, ln 1e-5 = -11.5, up to 4.4, above the loudest bursts."""


def log_mel_image(window: Float32, spec: FeatureSpec) -> NDArray[np.uint8]:
    """The image of one window, uint8 [1, n_mels, frames], lowest band first.

    Parameters: `window` float [window_samples] of conditioned sound; its loudness changes nothing. Silence is all 0.
    """
    power = power_spectra(window, spec)
    level = _mean_square(power, spec)
    if not level > 0:
        return np.zeros(spec.image_shape, np.uint8)
    mel = _bands(spec) @ power
    mel *= np.float32(RMS_LEVEL**2 / level)
    nepers = np.log(mel + np.float32(POWER_FLOOR)) - np.float32(np.log(POWER_FLOOR))
    return np.asarray(np.clip(np.rint(nepers * STEPS_PER_NEPER), 0, 255), dtype=np.uint8)[np.newaxis]


def network_scale() -> tuple[float, float]:
    """Mean and standard deviation of grey levels that give a network EfficientAT's own scale."""
    return (-np.log(POWER_FLOOR) - 4.5) * STEPS_PER_NEPER, 5 * STEPS_PER_NEPER


@lru_cache(maxsize=8)
def _bands(spec: FeatureSpec) -> Float32:
    """Bands of the power spectra with pre-emphasis and the larger FFT's scale, float32 [n_mels, 1 + n_fft / 2]."""
    turns = np.arange(1 + spec.n_fft // 2) * spec.sample_rate_hz / spec.n_fft / ORIGINAL_RATE_HZ
    gain = np.abs(1 - spec.preemphasis * np.exp(-2j * np.pi * turns)) ** 2
    scale = (ORIGINAL_RATE_HZ / spec.sample_rate_hz) ** 2
    return np.asarray(mel_filterbank(spec) * (gain * scale), dtype=np.float32)


def _mean_square(power: Float32, spec: FeatureSpec) -> float:
    """Mean square of the sound above `LEVEL_FROM_HZ`, from its spectra by Parseval's theorem."""
    first = int(np.ceil(LEVEL_FROM_HZ * spec.n_fft / spec.sample_rate_hz))
    window_energy = float(np.square(hann_window(spec.frame_samples or spec.n_fft)).sum())
    return 2 * float(power[first:].sum(axis=0, dtype=np.float64).mean()) / (spec.n_fft * window_energy)
