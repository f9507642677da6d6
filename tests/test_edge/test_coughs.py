"""Coughs are told apart and counted from the detector's answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.coughs_and_voices.coughs import Cough, Coughing, finish_coughs, follow_coughs

Float32 = NDArray[np.float32]


def answers(frames: int, *coughs: tuple[int, int], onsets: tuple[int, ...] = (), likelihood: float = 0.9) -> Float32:
    likely = np.zeros((frames, 3), np.float32)
    for start, end in coughs:
        likely[start:end, 0] = likelihood
    for onset in onsets:
        likely[onset - 1 : onset + 2, 2] = 0.4, 0.8, 0.4
    return likely


def count(likely: Float32, cut: int | None = None) -> list[Cough]:
    state, coughs = Coughing(), list[Cough]()
    for first in range(0, len(likely), cut or len(likely)):
        ended, state = follow_coughs(likely[first : first + (cut or len(likely))], first, state)
        coughs += ended
    return coughs + finish_coughs(state)


def test_a_cough_lasts_from_its_first_frame_to_its_last() -> None:
    (cough,) = count(answers(100, (20, 40)))
    assert (cough.start_s, cough.end_s) == pytest.approx((0.39, 0.79))


def test_a_burst_and_the_voiced_end_after_a_short_pause_are_one_cough() -> None:
    assert len(count(answers(100, (20, 27), (34, 42)))) == 1


def test_two_coughs_a_second_apart_are_two() -> None:
    assert len(count(answers(200, (20, 40), (90, 110)))) == 2


def test_a_cough_that_begins_before_the_last_one_ended_is_counted() -> None:
    coughs = count(answers(200, (20, 80), onsets=(21, 50)))
    assert [round(cough.start_s, 2) for cough in coughs] == [0.39, 0.99]
    assert coughs[0].end_s <= coughs[1].start_s


def test_neither_a_moment_nor_a_doubt_is_a_cough() -> None:
    assert count(answers(100, (20, 22))) == []
    assert count(answers(100, (20, 40), likelihood=0.5)) == []


@pytest.mark.parametrize("cut", [1, 7, 50])
def test_how_the_frames_arrive_changes_no_count(cut: int) -> None:
    likely = answers(300, (20, 80), (120, 130), (137, 144), (280, 300), onsets=(21, 50, 121))
    assert count(likely, cut) == count(likely)
