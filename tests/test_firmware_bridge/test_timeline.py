"""Samples in their places, whatever frames are lost, repeated, overtaken, forged, or counted anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.timeline import LATENESS_S, MAX_HELD_S, MAX_LEAP_S, Chunk, Sound, Timeline

Float32 = NDArray[np.float32]
RATE_HZ = 4000
FRAME = 20
FRAME_S = FRAME / RATE_HZ


def value_at(numbers: NDArray[np.int64]) -> Float32:
    """A sample that shows its number."""
    return (numbers[:, np.newaxis] / 2**20).astype(np.float32)


def frame(number: int, *, first_index: int = 0, first_seq: int = 0, count: int = FRAME) -> Sound:
    """A device's frame `number`, from 0, whose samples show their numbers."""
    start = number * FRAME
    return Sound((first_index + start) % 2**32, (first_seq + number) % 2**16, value_at(np.arange(start, start + count)))


def play(
    timeline: Timeline, numbers: Iterable[int], *, start_s: float = 0.0, first_index: int = 0, first_seq: int = 0
) -> list[Chunk]:
    """Frames in this order; each arrives when it was recorded, or with the one before it."""
    chunks, now_s = [], start_s
    for number in numbers:
        now_s = max(now_s, start_s + number * FRAME_S)
        chunks += timeline.place(frame(number, first_index=first_index, first_seq=first_seq), now_s)
    return chunks


def stream_of(chunks: Iterable[Chunk]) -> Float32:
    """The stream with NaN for what never came, bridged or not, and each chunk where the one before it ends."""
    pieces, end = [], 0
    for chunk in chunks:
        assert chunk.start_sample == end + chunk.lost_before
        missing = np.full(chunk.lost_before + chunk.bridged, np.nan, np.float32)
        pieces += [missing, chunk.samples[chunk.bridged :, 0]]
        end = chunk.end_sample
    return np.concatenate(pieces)


def assert_in_place(chunks: list[Chunk]) -> None:
    """What came shows its number on this ramp; the rest is marked."""
    stream = stream_of(chunks)
    came = ~np.isnan(stream)
    expected = value_at(np.arange(stream.size))[:, 0]
    np.testing.assert_allclose(stream[came], expected[came], atol=2**-22)


def test_frames_in_order_come_out_with_the_frame_that_brings_them() -> None:
    for reorder_frames in (0, 1, 2):
        timeline = Timeline(RATE_HZ, reorder_frames)
        for number in range(10):
            (chunk,) = timeline.place(frame(number), number * FRAME_S)
            assert (chunk.start_sample, len(chunk.samples)) == (number * FRAME, FRAME)
            assert (chunk.lost_before, chunk.bridged) == (0, 0)


@pytest.mark.parametrize("first_index", [2**32 - 1, 2**32 - FRAME, 2**32 - 3 * FRAME - 7, 2**31 - 1])
@pytest.mark.parametrize("first_seq", [0, 65533])
def test_counters_that_wrap_leave_no_gap(first_index: int, first_seq: int) -> None:
    timeline = Timeline(RATE_HZ)
    chunks = play(timeline, range(10), first_index=first_index, first_seq=first_seq)
    assert_in_place(chunks)
    assert timeline.position == 10 * FRAME
    assert timeline.counters.restarts == timeline.counters.gaps == 0


def test_a_gap_of_10_ms_near_the_beginning_is_bridged_by_a_straight_line_and_counted() -> None:
    timeline = Timeline(RATE_HZ)
    *_, chunk = play(timeline, [0, 1, 4])
    assert chunk.bridged == 2 * FRAME == round(0.010 * RATE_HZ)
    assert (chunk.lost_before, chunk.start_sample) == (0, 2 * FRAME)
    np.testing.assert_allclose(chunk.samples, value_at(np.arange(2 * FRAME, 5 * FRAME)), atol=2**-22)
    assert (timeline.counters.gaps, timeline.counters.bridged_samples, timeline.counters.lost_samples) == (1, 40, 0)


def test_a_longer_gap_is_marked_and_never_filled() -> None:
    timeline = Timeline(RATE_HZ)
    *_, chunk = play(timeline, [0, 1, 5])
    assert (chunk.bridged, chunk.lost_before, chunk.start_sample) == (0, 3 * FRAME, 5 * FRAME)
    np.testing.assert_array_equal(chunk.samples, frame(5).samples)
    assert (timeline.counters.gaps, timeline.counters.bridged_samples, timeline.counters.lost_samples) == (1, 0, 60)


def test_each_channel_has_its_own_bridge() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.place(Sound(0, 0, np.array([[0.0, 1.0]], np.float32)), 0.0)
    (chunk,) = timeline.place(Sound(4, 1, np.array([[0.4, -1.0]], np.float32)), 0.0)
    np.testing.assert_allclose(chunk.samples, [[0.1, 0.5], [0.2, 0], [0.3, -0.5], [0.4, -1]], atol=1e-6)


def test_a_repeated_frame_is_dropped() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    chunks = play(timeline, [0, 0, 1, 2, 2, 1, 3])
    assert_in_place(chunks)
    assert timeline.position == 4 * FRAME
    assert (timeline.counters.duplicates, timeline.counters.late, timeline.counters.restarts) == (3, 0, 0)


def test_a_frame_that_was_overtaken_is_put_back() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    chunks = play(timeline, [0, 2, 1, 3])
    assert_in_place(chunks)
    assert timeline.position == 4 * FRAME
    assert (timeline.counters.reordered, timeline.counters.gaps) == (1, 0)


def test_where_frames_cannot_overtake_a_gap_is_told_at_once() -> None:
    chunks = play(Timeline(RATE_HZ), [0, 2])
    assert [chunk.bridged for chunk in chunks] == [0, FRAME]


def test_a_frame_behind_a_gap_waits_for_one_more_frame_and_no_longer() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    assert len(play(timeline, [0])) == 1
    assert play(timeline, [2]) == []
    chunks = play(timeline, [3])
    assert [(chunk.start_sample, chunk.bridged) for chunk in chunks] == [(FRAME, FRAME), (3 * FRAME, 0)]


def test_the_last_frame_before_a_device_stops_does_not_wait_for_ever() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    play(timeline, [0, 2])
    arrived_s = 2 * FRAME_S
    assert timeline.overdue(arrived_s + 0.9 * MAX_HELD_S) == []
    (chunk,) = timeline.overdue(arrived_s + 1.01 * MAX_HELD_S)
    assert chunk.end_sample == 3 * FRAME
    assert timeline.overdue(arrived_s + 1) == []


def test_a_frame_whose_gap_was_told_is_late_and_dropped() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    chunks = play(timeline, [0, 2, 3, 1, 4])
    assert_in_place(chunks)
    assert (timeline.counters.late, timeline.counters.restarts, timeline.position) == (1, 0, 5 * FRAME)


@given(
    lost=st.sets(st.integers(1, 59), max_size=30),
    repeated=st.sets(st.integers(0, 59), max_size=20),
    swapped=st.sets(st.integers(1, 58), max_size=15),
    reorder_frames=st.integers(0, 2),
    first_index=st.sampled_from([0, 2**32 - 300, 2**31 - 100]),
)
@settings(deadline=None)
def test_every_sample_that_comes_out_stands_where_the_device_counted_it(
    lost: set[int], repeated: set[int], swapped: set[int], reorder_frames: int, first_index: int
) -> None:
    def on_the_way() -> Iterator[int]:
        order = list(range(60))
        for number in swapped:
            order[number], order[number + 1] = order[number + 1], order[number]
        for number in order:
            yield from [number] * ((number not in lost) + (number in repeated and number not in lost))

    timeline = Timeline(RATE_HZ, reorder_frames)
    chunks = [*play(timeline, [0, *on_the_way(), 60], first_index=first_index), *timeline.release()]
    assert_in_place(chunks)
    assert timeline.position == 61 * FRAME
    assert timeline.counters.restarts == 0


def test_a_device_that_begins_anew_leaves_a_gap_as_long_as_the_hosts_clock_says() -> None:
    timeline = Timeline(RATE_HZ)
    before = play(timeline, range(10))
    timeline.begin()
    last_s = 9 * FRAME_S
    (chunk, *_) = play(timeline, range(3), start_s=last_s + 3.0)
    assert before[-1].end_sample + chunk.lost_before == chunk.start_sample
    assert chunk.lost_before == 3 * RATE_HZ - FRAME
    assert chunk.anew
    assert timeline.counters.restarts == 1
    assert timeline.maybe_index(chunk.start_sample) == 0
    assert timeline.maybe_index(chunk.start_sample - 1) is None


def test_a_count_that_falls_back_without_a_word_is_a_restart_and_not_late_sound() -> None:
    timeline = Timeline(RATE_HZ)
    play(timeline, range(20))
    (chunk,) = timeline.place(frame(0, first_seq=20), 20 * FRAME_S)
    assert timeline.counters.restarts == 1
    assert chunk.lost_before >= 1
    assert timeline.place(frame(1, first_seq=20), 21 * FRAME_S)[0].lost_before == 0


def test_a_restart_within_the_time_of_one_frame_is_marked_by_one_lost_sample() -> None:
    timeline = Timeline(RATE_HZ)
    play(timeline, range(3))
    timeline.begin()
    (chunk,) = timeline.place(frame(0), 2 * FRAME_S)
    assert chunk.lost_before == 1


@pytest.mark.parametrize("leap", [2**31 - 1, 2**30, -(2**31), -(2**30), round((MAX_LEAP_S + 1) * RATE_HZ)])
def test_a_forged_index_costs_no_more_than_the_time_that_passed(leap: int) -> None:
    timeline = Timeline(RATE_HZ)
    play(timeline, range(5))
    forged = Sound((5 * FRAME + leap) % 2**32, 5, frame(5).samples)
    chunks = timeline.place(forged, 5 * FRAME_S)
    chunks += play(timeline, [6, 7])
    assert timeline.counters.restarts == 2
    assert timeline.counters.lost_samples <= 2 * FRAME
    assert sum(len(chunk.samples) for chunk in chunks) <= 3 * FRAME


def test_a_gap_may_be_longer_than_the_hosts_clock_shows_by_what_was_held_up_on_the_way() -> None:
    timeline = Timeline(RATE_HZ)
    play(timeline, range(5))
    (chunk,) = timeline.place(frame(5 + RATE_HZ // FRAME), 5 * FRAME_S)
    assert timeline.counters.restarts == 0
    assert chunk.lost_before == RATE_HZ


def test_two_frames_that_claim_the_same_samples_deliver_them_once() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    timeline.place(frame(0), 0.0)
    timeline.place(Sound(2 * FRAME, 2, frame(2).samples), 0.0)
    chunks = timeline.place(Sound(FRAME, 1, frame(1, count=FRAME + 7).samples), 0.0)
    assert timeline.position == 2 * FRAME + 7
    assert len(chunks) == 1
    assert timeline.counters.duplicates == 1


def test_frames_without_samples_change_nothing() -> None:
    timeline = Timeline(RATE_HZ, reorder_frames=1)
    chunks = [*play(timeline, [0])]
    chunks += timeline.place(Sound(FRAME, 1, np.zeros((0, 1), np.float32)), 0.0)
    chunks += timeline.place(Sound(FRAME, 2, frame(1).samples), 0.0)
    assert_in_place(chunks)
    assert timeline.position == 2 * FRAME


def test_while_a_device_is_away_time_passes_and_is_not_counted_again_when_it_returns() -> None:
    timeline = Timeline(RATE_HZ)
    chunks = play(timeline, range(10))
    left_s = 9 * FRAME_S
    for quarter in range(1, 21):
        chunks += timeline.pass_time(left_s + quarter * 0.25)
    assert timeline.position == 10 * FRAME + (5 - LATENESS_S) * RATE_HZ
    chunks += timeline.place(frame(0), left_s + 6.0)
    stream_of(chunks)
    assert timeline.position == 10 * FRAME + 6 * RATE_HZ
    assert timeline.counters.restarts == 1


def test_no_time_passes_before_the_first_sound() -> None:
    timeline = Timeline(RATE_HZ)
    assert timeline.pass_time(1e6) == []
    (chunk,) = timeline.place(frame(0), 2e6)
    assert (chunk.start_sample, chunk.lost_before) == (0, 0)


def test_an_hour_away_takes_no_memory() -> None:
    timeline = Timeline(RATE_HZ)
    play(timeline, [0])
    (chunk,) = timeline.pass_time(3600.0)
    assert chunk.lost_before == round((3600 - LATENESS_S) * RATE_HZ)
    assert len(chunk.samples) == 0


def test_the_stream_knows_what_the_device_calls_a_sample() -> None:
    timeline = Timeline(RATE_HZ)
    play(timeline, range(10), first_index=2**32 - 100)
    assert timeline.maybe_index(0) == 2**32 - 100
    assert timeline.maybe_index(150) == 50


def test_the_rate_is_that_of_the_frames_that_arrived() -> None:
    timeline = Timeline(RATE_HZ)
    assert timeline.maybe_rate() is None
    for number in range(0, 6000, 3):
        timeline.place(frame(number), number * FRAME_S / 1.001)
    estimate = timeline.maybe_rate()
    assert estimate is not None
    assert estimate.ppm == pytest.approx(1000, abs=5)
    timeline.begin()
    timeline.place(frame(0), 40.0)
    assert timeline.maybe_rate() is None, "a new count is measured anew"
