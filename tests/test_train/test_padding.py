"""Smart padding on cycles whose samples tell where they came from."""

from collections.abc import Callable
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.signal.spec import COMPACT
from edge.signal.windows import windows_from_cycle
from train.cycles import Cycle
from train.padding import Filling, fill, neighbours_by_position, smart_pad, smart_pad_for_evaluation


def recording_of(make_cycle: Callable[..., Cycle], labels: list[int], length: int = 100) -> list[Cycle]:
    """Cycle i holds the value i + 1."""
    return [
        make_cycle(np.full(length, index + 1, dtype=np.float32), label=label, index=index)
        for index, label in enumerate(labels)
    ]


def runs(window: NDArray[np.float32]) -> list[int]:
    """The values in order, each stretch once."""
    return [int(value) for value, _ in groupby(window)]


def padded(cycles: list[Cycle], at: int, length: int, seed: int) -> NDArray[np.float32]:
    return smart_pad(cycles[at], neighbours_by_position(cycles), length, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_neighbours_of_the_same_class_or_normal_stand_where_they_stood(
    make_cycle: Callable[..., Cycle], seed: int
) -> None:
    window = padded(recording_of(make_cycle, [0, 1, 1]), at=1, length=300, seed=seed)
    assert window.size == 300
    assert runs(window) in ([1, 2, 3], [1, 2], [2, 3])


@pytest.mark.parametrize("seed", range(8))
def test_a_neighbour_of_another_abnormal_class_is_replaced_by_a_copy(
    make_cycle: Callable[..., Cycle], seed: int
) -> None:
    window = padded(recording_of(make_cycle, [2, 1, 3]), at=1, length=350, seed=seed)
    assert runs(window) == [2]


@pytest.mark.parametrize("seed", range(8))
def test_a_normal_cycle_takes_no_abnormal_neighbour(make_cycle: Callable[..., Cycle], seed: int) -> None:
    assert runs(padded(recording_of(make_cycle, [1, 0, 2]), at=1, length=350, seed=seed)) == [2]


def test_another_recording_is_never_joined(make_cycle: Callable[..., Cycle]) -> None:
    other = make_cycle(np.full(100, 9, dtype=np.float32), recording="another", index=1)
    cycles = [*recording_of(make_cycle, [0]), other]
    assert runs(padded(cycles, at=0, length=350, seed=0)) == [1]


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    at=st.integers(0, 5),
    length=st.integers(1, 700),
    seed=st.integers(0, 99),
)
def test_the_window_is_full_and_holds_the_whole_cycle_in_one_piece(
    make_cycle: Callable[..., Cycle], labels: list[int], at: int, length: int, seed: int
) -> None:
    at %= len(labels)
    window = padded(recording_of(make_cycle, labels), at, length, seed)
    own = "".join("x" if value == at + 1 else "." for value in window)
    assert window.size == length
    assert "x" * min(100, length) in own
    assert {labels[int(value) - 1] for value in window} <= {labels[at], 0}


def test_a_cycle_longer_than_the_window_is_cut_at_random_places(make_cycle: Callable[..., Cycle]) -> None:
    cycle = make_cycle(np.arange(1000, dtype=np.float32))
    starts = {int(padded([cycle], 0, 100, seed)[0]) for seed in range(20)}
    assert len(starts) > 10
    assert all(np.array_equal(np.diff(padded([cycle], 0, 100, seed)), np.ones(99)) for seed in range(3))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("zero", [1, 2, 3, 0, 0, 0, 0, 0]),
        ("reflection", [1, 2, 3, 2, 1, 2, 3, 2]),
        ("repetition", [1, 2, 3, 1, 2, 3, 1, 2]),
    ],
)
def test_a_short_sound_is_followed_by_what_fills_it(kind: Filling, expected: list[int]) -> None:
    assert fill(np.array([1, 2, 3], dtype=np.float32), kind, 8, np.random.default_rng(0)).tolist() == expected


@pytest.mark.parametrize("kind", ["zero", "reflection", "repetition"])
@given(size=st.integers(1, 300), length=st.integers(1, 300), seed=st.integers(0, 99))
def test_filling_is_exact_and_leaves_the_sound_alone(kind: Filling, size: int, length: int, seed: int) -> None:
    sound = np.random.default_rng(seed).standard_normal(size, dtype=np.float32)
    kept = sound.copy()
    filled = fill(sound, kind, length, np.random.default_rng(seed))
    assert filled.shape == (length,)
    assert filled.dtype == np.float32
    assert np.isin(filled, [*kept, 0]).all()
    assert size > length or np.array_equal(filled[:size], kept)
    np.testing.assert_array_equal(sound, kept)


def evaluated(cycles: list[Cycle], at: int) -> NDArray[np.float32]:
    return smart_pad_for_evaluation(cycles[at], neighbours_by_position(cycles), COMPACT)


def test_a_test_cycle_stands_between_its_admissible_neighbours(make_cycle: Callable[..., Cycle]) -> None:
    (window,) = evaluated(recording_of(make_cycle, [0, 1, 1, 2], length=12000), at=1)
    assert runs(window) == [1, 2, 3]
    assert np.count_nonzero(window == 1) == np.count_nonzero(window == 3) == (COMPACT.window_samples - 12000) // 2


def test_a_test_cycle_takes_no_random_numbers_but_reads_its_label(make_cycle: Callable[..., Cycle]) -> None:
    labelled, relabelled = (recording_of(make_cycle, [1, label, 1], length=10000) for label in (1, 2))
    np.testing.assert_array_equal(evaluated(labelled, 1), evaluated(labelled, 1))
    assert runs(evaluated(labelled, 1)[0]) == [1, 2, 3]
    assert runs(evaluated(relabelled, 1)[0]) == [2]


@pytest.mark.parametrize("length", [28000, 28001, 70000])
def test_a_long_test_cycle_is_cut_as_the_device_cuts_it(make_cycle: Callable[..., Cycle], length: int) -> None:
    cycle = make_cycle(np.arange(length, dtype=np.float32))
    np.testing.assert_array_equal(evaluated([cycle], 0), windows_from_cycle(cycle.samples, COMPACT))
