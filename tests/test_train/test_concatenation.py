"""Which cycles are joined, and how."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from train.concatenation import RELEASED_PAIRS, Pairs, Partners, concatenate
from train.cycles import Cycle

PER_CLASS = 3


def cycles_of(make_cycle: Callable[..., Cycle], labels: tuple[int, ...], dataset: str = "icbhi") -> list[Cycle]:
    """`PER_CLASS` cycles a class, each of one sample that says its class."""
    return [
        make_cycle(np.array([label], dtype=np.float32), label=label, index=index, dataset=dataset)
        for index, label in enumerate(labels * PER_CLASS)
    ]


def shares_of_pairs(cycles: list[Cycle], at: int, pairs: Pairs, count: int = 4000) -> dict[tuple[int, int], float]:
    partners, rng = Partners(cycles, pairs), np.random.default_rng(0)
    drawn = Counter(
        (int(first[0]), int(second[0])) for first, second in (partners.draw(cycles[at], rng) for _ in range(count))
    )
    return {pair: times / count for pair, times in drawn.items()}


@pytest.mark.parametrize("label", range(4))
def test_the_papers_pairs_are_of_one_class(make_cycle: Callable[..., Cycle], label: int) -> None:
    cycles = cycles_of(make_cycle, (0, 1, 2, 3))
    assert shares_of_pairs(cycles, label, "same_class", count=200) == {(label, label): 1.0}


@pytest.mark.parametrize("label", range(4))
def test_released_pairs_come_in_the_shares_of_the_authors_code(make_cycle: Callable[..., Cycle], label: int) -> None:
    shares = shares_of_pairs(cycles_of(make_cycle, (0, 1, 2, 3)), label, "released")
    expected = {(first, second): share for share, first, second in RELEASED_PAIRS[label]}
    assert shares == pytest.approx(expected, abs=0.03)
    assert sum(expected.values()) == pytest.approx(1)


@pytest.mark.parametrize("label", range(4))
def test_a_released_pair_carries_every_sound_of_its_class_and_no_other(label: int) -> None:
    # As bits: normal 00, crackle 01, wheeze 10, both 11.
    for _, first, second in RELEASED_PAIRS[label]:
        assert first | second == label


def test_with_two_classes_abnormal_is_joined_to_abnormal_or_normal(make_cycle: Callable[..., Cycle]) -> None:
    cycles = cycles_of(make_cycle, (0, 1))
    assert set(shares_of_pairs(cycles, 1, "released")) == {(1, 1), (1, 0), (0, 1)}
    assert set(shares_of_pairs(cycles, 0, "released")) == {(0, 0)}


def test_pairs_of_an_absent_class_leave_their_share_to_the_others(make_cycle: Callable[..., Cycle]) -> None:
    shares = shares_of_pairs(cycles_of(make_cycle, (0, 1, 3)), 2, "released")
    assert shares == pytest.approx({(3, 3): 0.5 / 0.7, (3, 0): 0.1 / 0.7, (0, 3): 0.1 / 0.7}, abs=0.03)


@pytest.mark.parametrize("pairs", ["same_class", "released"])
def test_the_drawn_cycle_itself_is_joined_once(make_cycle: Callable[..., Cycle], pairs: Pairs) -> None:
    cycles = [make_cycle(np.array([index], dtype=np.float32), label=1, index=index) for index in range(50)]
    partners, rng = Partners(cycles, pairs), np.random.default_rng(0)
    drawn = [partners.draw(cycles[7], rng) for _ in range(100)]
    assert all(first[0] == 7 for first, _ in drawn)
    assert len({float(second[0]) for _, second in drawn}) > 30


@pytest.mark.parametrize("pairs", ["same_class", "released"])
def test_datasets_are_not_mixed(make_cycle: Callable[..., Cycle], pairs: Pairs) -> None:
    ours = cycles_of(make_cycle, (0, 1, 2, 3))
    theirs = [
        make_cycle(np.array([9], dtype=np.float32), label=label, index=label, dataset="sprsound") for label in range(4)
    ]
    assert not any(9 in pair for pair in shares_of_pairs([*ours, *theirs], 3, pairs, count=500))


def test_joining_keeps_the_first_and_scales_the_second() -> None:
    first, second = np.linspace(-1, 1, 50, dtype=np.float32), np.linspace(1, -1, 30, dtype=np.float32)
    joined = concatenate(first, second, gain_db=6.0, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(joined[:50], first)
    gain = joined[50] / second[0]
    np.testing.assert_allclose(joined[50:], gain * second, rtol=1e-5, atol=1e-6)
    assert 10 ** (-6 / 20) <= gain <= 10 ** (6 / 20)


def test_joining_without_gain_is_plain_joining() -> None:
    first, second = np.ones(5, dtype=np.float32), np.zeros(4, dtype=np.float32)
    joined = concatenate(first, second, gain_db=0.0, rng=np.random.default_rng(0))
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, np.concatenate([first, second]))
