"""The band-pass against SciPy, and against itself when a stream is cut anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.signal.bandpass import bandpass, design_bandpass
from edge.signal.butterworth import butterworth_bandpass_sos

DESIGNS = [(5, 50.0, 1800.0), (5, 100.0, 1500.0), (4, 20.0, 1990.0), (3, 300.0, 400.0), (1, 50.0, 1900.0)]
MINUTE = np.random.default_rng(7).standard_normal(240_000)


@pytest.mark.parametrize(("order", "low_hz", "high_hz"), DESIGNS)
def test_sections_have_scipys_frequency_response(order: int, low_hz: float, high_hz: float) -> None:
    signal = pytest.importorskip("scipy.signal")
    frequencies_hz = np.linspace(1, 1999, 500)
    expected = signal.sosfreqz(
        signal.butter(order, [low_hz, high_hz], "bandpass", fs=4000, output="sos"), frequencies_hz, fs=4000
    )
    ours = signal.sosfreqz(butterworth_bandpass_sos(order, low_hz, high_hz, 4000), frequencies_hz, fs=4000)
    np.testing.assert_allclose(ours[1], expected[1], atol=1e-9)


@pytest.mark.parametrize(("order", "low_hz", "high_hz"), DESIGNS)
def test_a_minute_of_noise_is_filtered_as_scipy_does(order: int, low_hz: float, high_hz: float) -> None:
    signal = pytest.importorskip("scipy.signal")
    design = design_bandpass(order, low_hz, high_hz, 4000)
    filtered, _ = bandpass(MINUTE, design.initial_state(), design)
    expected = signal.sosfilt(signal.butter(order, [low_hz, high_hz], "bandpass", fs=4000, output="sos"), MINUTE)
    assert np.linalg.norm(filtered - expected) <= 1e-6 * np.linalg.norm(expected)


def test_edges_are_3_db_down_and_the_middle_is_untouched() -> None:
    design = design_bandpass(5, 50.0, 1800.0, 4000)
    impulse = np.zeros(40_000)
    impulse[0] = 1
    response, _ = bandpass(impulse, design.initial_state(), design)
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(response)))
    at = {hz: gain_db[hz * 10] for hz in (10, 50, 500, 1800, 1950)}
    assert at[50] == pytest.approx(-3.01, abs=0.01)
    assert at[1800] == pytest.approx(-3.01, abs=0.01)
    assert at[500] == pytest.approx(0, abs=0.01)
    assert max(at[10], at[1950]) < -60


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=30))
def test_any_chunks_give_the_same_stream(sizes: list[int]) -> None:
    design = design_bandpass(5, 50.0, 1800.0, 4000)
    noise = MINUTE[: sum(sizes)]
    whole, end_state = bandpass(noise, design.initial_state(), design)
    state, pieces = design.initial_state(), []
    for chunk in np.split(noise, np.cumsum(sizes)[:-1]):
        piece, state = bandpass(chunk, state, design)
        pieces.append(piece)
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-9)
    np.testing.assert_allclose(state, end_state, rtol=0, atol=1e-9)
