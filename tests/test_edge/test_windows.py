"""Padding by repetition, sliding windows, and windows of a breathing cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.signal.padding import repeat_to_length
from edge.signal.spec import COMPACT
from edge.signal.windows import Slider, Window, finish_sliding, slide, windows_from_cycle


def ramp(length: int) -> NDArray[np.float32]:
    return np.arange(length, dtype=np.float32)


def stream(sizes: list[int], slider: Slider) -> list[Window]:
    state, windows = slider.initial_state(), []
    for chunk in np.split(ramp(sum(sizes)), np.cumsum(sizes)[:-1]):
        new, state = slide(chunk, state, slider)
        windows += new
    return windows + finish_sliding(state, slider)


def test_a_short_sound_is_repeated_and_cut_at_the_window() -> None:
    assert repeat_to_length(ramp(3), 8).tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_a_long_sound_is_cut_and_a_fitting_one_is_returned_as_it_is() -> None:
    fitting = ramp(4)
    assert repeat_to_length(ramp(9), 4).tolist() == [0, 1, 2, 3]
    assert repeat_to_length(fitting, 4) is fitting


def test_no_sound_at_all_is_silence() -> None:
    assert repeat_to_length(ramp(0), 3).tolist() == [0, 0, 0]


@given(length=st.integers(1, 50), target=st.integers(1, 200))
def test_repetition_keeps_every_sample_at_its_phase(length: int, target: int) -> None:
    repeated = repeat_to_length(ramp(length), target)
    np.testing.assert_array_equal(repeated, np.arange(target) % length)


def test_windows_start_every_hop_and_the_end_is_heard() -> None:
    windows = stream([26], Slider(window_samples=10, hop_samples=4))
    assert [window.start_sample for window in windows] == [0, 4, 8, 12, 16]
    assert windows[-1].samples.tolist() == list(range(16, 26))


def test_a_leftover_of_half_a_hop_gets_a_final_window_that_ends_with_the_stream() -> None:
    windows = stream([12], Slider(window_samples=10, hop_samples=4))
    assert [window.start_sample for window in windows] == [0, 2]


def test_a_smaller_leftover_gets_none() -> None:
    assert [window.start_sample for window in stream([11], Slider(10, 4))] == [0]


def test_a_stream_shorter_than_a_window_is_repeated_once() -> None:
    (window,) = stream([3], Slider(8, 4))
    assert (window.start_sample, window.sound_samples) == (0, 3)
    assert window.samples.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_an_empty_stream_has_no_window() -> None:
    assert stream([0], Slider(8, 4)) == []


@pytest.mark.parametrize("hop_samples", [0, 11])
def test_a_hop_outside_the_window_is_refused(hop_samples: int) -> None:
    with pytest.raises(ValueError, match=r"must lie in 1\.\.10"):
        Slider(10, hop_samples)


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=12), hop=st.integers(1, 10))
def test_any_chunks_give_the_same_windows(sizes: list[int], hop: int) -> None:
    slider = Slider(10, hop)
    streamed, at_once = stream(sizes, slider), stream([sum(sizes)], slider)
    assert [window.start_sample for window in streamed] == [window.start_sample for window in at_once]
    for one, other in zip(streamed, at_once, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_memory_stays_within_a_window_and_a_hop(sizes: list[int]) -> None:
    slider = Slider(10, 4)
    state = slider.initial_state()
    for size in sizes:
        _, state = slide(ramp(size), state, slider)
        assert state.held.size < slider.window_samples + slider.hop_samples


def test_a_short_cycle_is_one_window_of_itself() -> None:
    windows = windows_from_cycle(ramp(10_000), COMPACT)
    assert windows.shape == (1, 28_000)
    np.testing.assert_array_equal(windows[0, 10_000:20_000], ramp(10_000))


def test_a_long_cycle_is_covered_at_half_overlap_and_ends_where_it_ends() -> None:
    windows = windows_from_cycle(ramp(50_000), COMPACT)
    assert windows[:, 0].tolist() == [0, 14_000, 22_000]
    assert windows[-1, -1] == 49_999


def test_a_cycle_of_exactly_one_window_stays_as_it_is() -> None:
    np.testing.assert_array_equal(windows_from_cycle(ramp(28_000), COMPACT)[0], ramp(28_000))


def test_an_empty_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        windows_from_cycle(ramp(0), COMPACT)
