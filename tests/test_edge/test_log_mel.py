"""The image of networks that AudioSet taught, beside what EfficientAT computes from the same sound at 32 kHz."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.signal.conditioning import condition_recording
from edge.signal.image import image_from_window
from edge.signal.log_mel import RMS_LEVEL, network_scale
from edge.signal.mel import band_centres_hz, mel_filterbank
from edge.signal.spec import AUDIOSET

FIRST_BAND = 6
"""The bands below stand for less than 125 Hz, and are left out."""


def tone(frequency_hz: float, rate_hz: int, seconds: float = AUDIOSET.window_s) -> NDArray[np.float32]:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.asarray(np.sqrt(2) * RMS_LEVEL * np.sin(2 * np.pi * frequency_hz * time_s), dtype=np.float32)


def efficientat_features(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """`AugmentMelSTFT` of EfficientAT written out: float64 [128, frames] of sound at 32 kHz."""
    emphasised = sound[1:].astype(np.float64) - 0.97 * sound[:-1]
    window = np.hanning(800)
    starts = range(0, emphasised.size - 800, 320)
    spectra = np.stack([np.fft.rfft(window * emphasised[start : start + 800], 1024) for start in starts])
    mel = 1127 * np.log1p(np.arange(513) * 32000 / 1024 / 700)
    edges = np.linspace(0, 1127 * np.log1p(15000 / 700), 130)[:, np.newaxis]
    rising, falling = (mel - edges[:-2]) / np.diff(edges[:-1], axis=0), (edges[2:] - mel) / np.diff(edges[1:], axis=0)
    bands = np.maximum(np.minimum(rising, falling), 0) @ (np.abs(spectra) ** 2).T
    return np.asarray((np.log(bands + 1e-5) + 4.5) / 5)


@pytest.mark.parametrize("frequency_hz", [150.0, 400.0, 1000.0, 1700.0])
def test_a_tone_looks_as_efficientat_would_see_it(frequency_hz: float) -> None:
    image = image_from_window(tone(frequency_hz, AUDIOSET.sample_rate_hz), AUDIOSET)[0]
    mean, std = network_scale()
    ours = (image[:, 100:400].mean(axis=1) - mean) / std
    theirs = efficientat_features(tone(frequency_hz, 32_000))[FIRST_BAND : FIRST_BAND + AUDIOSET.n_mels].mean(axis=1)
    loud = theirs > theirs.max() - 1.0
    # Half a grey level is 0.006; bands up to a hertz beside theirs are the rest, where their flanks are steep.
    np.testing.assert_allclose(ours[loud], theirs[loud], atol=0.06)


def test_the_bands_are_the_7th_to_the_55th_of_theirs() -> None:
    edges_hz = 700 * np.expm1(np.linspace(0, 1127 * np.log1p(15000 / 700), 130) / 1127)
    np.testing.assert_allclose(band_centres_hz(AUDIOSET), edges_hz[7:56], atol=1.0)
    assert band_centres_hz(AUDIOSET)[0] > 125
    assert mel_filterbank(AUDIOSET).max() <= 1


@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_loudness_changes_nothing(gain: float, seed: int) -> None:
    window = np.random.default_rng(seed).standard_normal(AUDIOSET.window_samples).astype(np.float32)
    first = image_from_window(window, AUDIOSET).astype(int)
    louder = image_from_window(np.float32(gain) * window, AUDIOSET).astype(int)
    assert np.abs(first - louder).max() <= 1


def test_what_lies_below_125_hz_changes_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal(AUDIOSET.window_samples).astype(np.float32)
    heart = 20 * tone(30.0, AUDIOSET.sample_rate_hz)
    plain, beside = (
        image_from_window(condition_recording(each, 4000, AUDIOSET)[: noise.size], AUDIOSET)[0, :, 20:-20].astype(int)
        for each in (noise, noise + heart)
    )
    assert np.abs(plain - beside).mean() <= 0.5


def test_silence_is_black() -> None:
    silence = np.zeros(AUDIOSET.window_samples, np.float32)
    assert not image_from_window(silence, AUDIOSET).any()
    assert image_from_window(silence, AUDIOSET).shape == AUDIOSET.image_shape == (1, 49, 501)


def test_the_first_row_is_the_lowest_band() -> None:
    low, high = (image_from_window(tone(each, 4000), AUDIOSET)[0].mean(axis=1).argmax() for each in (200.0, 1500.0))
    assert low < 10 < 30 < high
