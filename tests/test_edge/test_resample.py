"""The resampler's promised quality, its timing, and streams cut anywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.signal.resample import design_resampler, finish_resampling, resample

RATES_HZ = [4001, 4400, 8000, 10_000, 11_025, 16_000, 16_124, 22_050, 32_000, 44_100, 48_000]


def whole(samples: NDArray[np.float32], input_rate_hz: int) -> NDArray[np.float32]:
    design = design_resampler(input_rate_hz, 4000)
    head, state = resample(samples, design.initial_state(), design)
    return np.concatenate([head, finish_resampling(state, design)])


def sine(frequency_hz: float, rate_hz: int, seconds: float) -> NDArray[np.float32]:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.sin(2 * np.pi * frequency_hz * time_s + 0.3).astype(np.float32)


def gain_db(frequency_hz: float, input_rate_hz: int) -> float:
    output = whole(sine(frequency_hz, input_rate_hz, 0.6), input_rate_hz)[400:-400]
    return 20 * math.log10(math.sqrt(2) * output.std() + 1e-12)


@pytest.mark.parametrize("input_rate_hz", RATES_HZ)
def test_ripple_up_to_1800_hz_stays_within_a_tenth_of_a_db(input_rate_hz: int) -> None:
    assert max(abs(gain_db(hz, input_rate_hz)) for hz in (60, 200, 700, 1200, 1600, 1700, 1800)) <= 0.1


@pytest.mark.parametrize("input_rate_hz", [rate for rate in RATES_HZ if rate > 4500])
def test_what_would_fold_back_is_80_db_down(input_rate_hz: int) -> None:
    nyquist_hz = input_rate_hz / 2
    frequencies_hz = (2200, 2250, 2400, 3000, 3999, 5800, 7900, 11_000, 15_950, 21_000)
    assert max(gain_db(hz, input_rate_hz) for hz in frequencies_hz if hz < nyquist_hz) <= -80


@pytest.mark.parametrize("input_rate_hz", RATES_HZ)
def test_output_sample_n_is_the_sound_at_n_over_4000_seconds(input_rate_hz: int) -> None:
    output = whole(sine(150.0, input_rate_hz, 1.0), input_rate_hz)
    assert output.size == 4000
    expected = sine(150.0, 4000, 1.0)
    np.testing.assert_allclose(output[100:-100], expected[100:-100], atol=1e-3)


def test_noise_below_1800_hz_is_resampled_as_soxr_does() -> None:
    soxr = pytest.importorskip("soxr")
    spectrum = np.fft.rfft(np.random.default_rng(3).standard_normal(44_100))
    spectrum[1800:] = 0
    noise = np.fft.irfft(spectrum).astype(np.float32)
    expected = soxr.resample(noise, 44_100, 4000, quality="VHQ")
    difference = whole(noise, 44_100)[50:-50] - expected[50:-50]
    assert np.abs(difference).max() < 1e-3 * np.abs(expected).max()


def test_the_same_rate_passes_through_untouched() -> None:
    samples = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    np.testing.assert_array_equal(whole(samples, 4000), samples)


def test_a_lower_rate_is_refused_with_both_rates() -> None:
    with pytest.raises(ValueError, match="3999 Hz to 4000 Hz"):
        design_resampler(3999, 4000)


@settings(deadline=None, max_examples=40)
@given(
    rate=st.sampled_from([4000, 4001, 8000, 16_124, 44_100]),
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=12),
)
def test_any_chunks_give_the_same_stream(rate: int, sizes: list[int]) -> None:
    noise = np.random.default_rng(1).standard_normal(sum(sizes)).astype(np.float32)
    design = design_resampler(rate, 4000)
    state, pieces = design.initial_state(), []
    for chunk in np.split(noise, np.cumsum(sizes)[:-1]):
        piece, state = resample(chunk, state, design)
        pieces.append(piece)
    pieces.append(finish_resampling(state, design))
    streamed = np.concatenate(pieces)
    assert streamed.size == math.ceil(noise.size * 4000 / rate)
    np.testing.assert_allclose(streamed, whole(noise, rate), rtol=0, atol=1e-5)
