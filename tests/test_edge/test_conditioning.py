"""The whole chain, streamed in any chunks, gives the windows and images of the offline call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.signal.conditioning import condition, condition_recording, design_conditioner, finish_conditioning
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT
from edge.signal.windows import Slider, Window, finish_sliding, slide

Float32 = NDArray[np.float32]
SLIDER = Slider(COMPACT.window_samples, 4000)


def breath(rate_hz: int, seconds: float) -> Float32:
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    noise = np.random.default_rng(4).standard_normal(time_s.size)
    return np.asarray(0.1 * noise * np.sin(2 * np.pi * 0.25 * time_s) ** 2, np.float32)


def streamed_windows(chunks: list[Float32], rate_hz: int) -> list[Window]:
    conditioner = design_conditioner(rate_hz, COMPACT)
    state, slider_state, windows = conditioner.initial_state(), SLIDER.initial_state(), []
    for chunk in chunks:
        samples, state = condition(chunk, state, conditioner)
        new, slider_state = slide(samples, slider_state, SLIDER)
        windows += new
    new, slider_state = slide(finish_conditioning(state, conditioner), slider_state, SLIDER)
    return windows + new + finish_sliding(slider_state, SLIDER)


def offline_windows(samples: Float32, rate_hz: int) -> list[Window]:
    windows, state = slide(condition_recording(samples, rate_hz, COMPACT), SLIDER.initial_state(), SLIDER)
    return windows + finish_sliding(state, SLIDER)


@settings(deadline=None, max_examples=25)
@given(
    rate_hz=st.sampled_from([4000, 8000, 10_000, 16_124, 44_100]),
    seconds=st.floats(0.01, 10.0),
    cuts=st.lists(st.floats(0, 1), max_size=20),
)
def test_streamed_windows_and_images_are_the_offline_ones(rate_hz: int, seconds: float, cuts: list[float]) -> None:
    sound = breath(rate_hz, seconds)
    chunks = np.split(sound, sorted(round(cut * sound.size) for cut in cuts))
    streamed, offline = streamed_windows(chunks, rate_hz), offline_windows(sound, rate_hz)
    assert [(w.start_sample, w.sound_samples) for w in streamed] == [(w.start_sample, w.sound_samples) for w in offline]
    for one, other in zip(streamed, offline, strict=True):
        np.testing.assert_allclose(one.samples, other.samples, rtol=0, atol=1e-7)
        difference = image_from_window(one.samples, COMPACT).astype(int) - image_from_window(other.samples, COMPACT)
        assert np.abs(difference).max() <= 1
        # A matrix product over other rows rounds otherwise: a level that stood at a half may fall to the other side.
        assert np.mean(difference == 0) >= 0.99


def test_conditioning_removes_what_lies_outside_the_band() -> None:
    time_s = np.arange(44_100 * 2) / 44_100
    inside, outside = (np.asarray(np.sin(2 * np.pi * hz * time_s), np.float32) for hz in (400.0, 15.0))
    assert condition_recording(inside, 44_100, COMPACT)[4000:].std() == pytest.approx(2**-0.5, rel=0.01)
    assert condition_recording(outside, 44_100, COMPACT)[4000:].std() < 5e-3


def test_the_length_is_the_duration_at_4_khz() -> None:
    assert condition_recording(breath(44_100, 1.5), 44_100, COMPACT).size == 6000


def test_silence_gives_a_black_image_and_a_wrong_length_is_refused() -> None:
    assert not image_from_window(np.zeros(28_000, np.float32), COMPACT).any()
    with pytest.raises(ValueError, match=r"shape \(100,\); spec 'compact' takes \(28000,\)"):
        image_from_window(np.zeros(100, np.float32), COMPACT)


def test_loudness_does_not_change_the_image() -> None:
    window = condition_recording(breath(4000, 7.0), 4000, COMPACT)
    difference = image_from_window(window, COMPACT).astype(int) - image_from_window(window * np.float32(0.25), COMPACT)
    assert np.abs(difference).max() <= 1
