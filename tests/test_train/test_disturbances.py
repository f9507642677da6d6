"""Coughs and voices laid into breath sounds."""

from __future__ import annotations

import numpy as np
import pytest

from train.answer_figures import maybe_undisturbed
from train.answers import Answers, answers_from_cycles
from train.cycles import Cycle
from train.disturbances import Disturbances
from train.sound_marks.by_cycle import DISTURBANCES, marks_by_cycle

RATE_HZ = 4000


def cycle_named(recording: str, index: int, seconds: float = 8.0) -> Cycle:
    samples = np.random.default_rng(index).standard_normal(round(seconds * RATE_HZ)).astype(np.float32)
    return Cycle(samples, 0, recording.split("_")[0], recording.split("_")[-1], "icbhi", recording, index)


@pytest.fixture(scope="module")
def marked() -> tuple[str, int]:
    return next(name for name, marks in marks_by_cycle().items() if any(mark.kind in DISTURBANCES for mark in marks))


def test_the_pieces_are_the_marked_stretches_of_the_cycles_given(marked: tuple[str, int]) -> None:
    marks = [mark for mark in marks_by_cycle()[marked] if mark.kind in DISTURBANCES]
    pieces = Disturbances([cycle_named(*marked), cycle_named("999_1b1_Al_sc_Meditron", 0)], RATE_HZ).pieces
    assert [piece.size for piece in pieces] == [
        round(mark.end_s * RATE_HZ) - round(mark.start_s * RATE_HZ) for mark in marks
    ]


def test_what_is_mixed_is_as_loud_as_asked(marked: tuple[str, int]) -> None:
    pieces = Disturbances([cycle_named(*marked)], RATE_HZ)
    window = np.zeros(5 * RATE_HZ, np.float32)
    window[::2] = 1e-3
    mixed = pieces.mix(window, (40.0, 40.0), np.random.default_rng(0))
    loudest = np.abs(mixed - window).max()
    assert 0.02 < loudest < 1.0  # 40 dB above an RMS of 0.0007 is 0.07


def test_without_marked_cycles_nothing_changes() -> None:
    window = np.ones(100, np.float32)
    silent = Disturbances([cycle_named("999_1b1_Al_sc_Meditron", 0)], RATE_HZ)
    assert silent.mix(window, (0.0, 0.0), np.random.default_rng(0)) is window


def answers_to(names: list[tuple[str, int]]) -> Answers:
    cycles = [cycle_named(*name, seconds=0.1) for name in names]
    return answers_from_cycles(cycles, np.full((len(cycles), 4), 0.25))


def test_cycles_free_of_coughs_and_voices_are_told_apart(marked: tuple[str, int]) -> None:
    recording, index = marked
    taken = {at for name, at in marks_by_cycle() if name == recording}
    free = next(at for at in range(99) if at not in taken)
    found = maybe_undisturbed(answers_to([(recording, index), (recording, free)]))
    assert found is not None
    assert found.tolist() == [False, True]


def test_of_a_recording_that_nobody_looked_at_nothing_is_said(marked: tuple[str, int]) -> None:
    assert maybe_undisturbed(answers_to([marked, ("999_1b1_Al_sc_Meditron", 0)])) is None
