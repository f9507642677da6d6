"""What stands for the samples of a short gap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.gaps import BEFORE_S, MAX_BRIDGED_S, MAX_LOUDER, ORDER, bridge

Float32 = NDArray[np.float32]

RATE_HZ = 4000
GAP = round(MAX_BRIDGED_S * RATE_HZ)
BEFORE = round(BEFORE_S * RATE_HZ)


def breath(samples: int, seed: int = 0) -> Float32:
    """Noise with most of its power at low frequencies, as breath has."""
    noise = np.random.default_rng(seed).standard_normal(samples + 200)
    noise = np.convolve(noise, np.hanning(16), "same") + 0.01 * noise
    return np.asarray(0.1 * noise[100:-100] / noise.std(), np.float32)


def parted(sound: Float32, start: int, gap: int = GAP) -> tuple[Float32, Float32, Float32]:
    return sound[max(start - BEFORE, 0) : start], sound[start + gap :], sound[start : start + gap]


def straight(before: Float32, after: Float32, count: int) -> Float32:
    return np.linspace(before[-1], after[0], count + 2)[1:-1].astype(np.float32)


def test_a_wheeze_goes_on_through_the_gap() -> None:
    time_s = np.arange(2000) / RATE_HZ
    wheeze = (0.3 * np.sin(2 * np.pi * 387 * time_s) + 0.1 * np.sin(2 * np.pi * 774 * time_s)).astype(np.float32)
    before, after, true = parted(wheeze, 1000)
    np.testing.assert_allclose(bridge(before, after, GAP), true, atol=0.01)


def test_a_peak_that_fell_into_the_gap_stands_again() -> None:
    """The loudest of a wheeze that swells and fades."""
    time_s = np.arange(2000) / RATE_HZ
    swelling = np.exp(-(((time_s - 0.25) / 0.02) ** 2))
    wheeze = (0.5 * swelling * np.sin(2 * np.pi * 200 * time_s)).astype(np.float32)
    before, after, true = parted(wheeze, 1000 - GAP // 2)
    filled = bridge(before, after, GAP)
    assert np.abs(filled).max() > max(np.abs(before).max(), np.abs(after).max())
    np.testing.assert_allclose(filled, true, atol=0.05)


@pytest.mark.parametrize(("gap", "at_most"), [(1, 0.1), (7, 0.25), (20, 0.75), (GAP, 0.9)])
def test_breath_is_hit_better_than_by_a_straight_line(gap: int, at_most: float) -> None:
    """Noise without any tone can be told for a few samples only."""
    sound = breath(20_000)
    ours = lines = 0.0
    for start in range(1000, 19_000, 500):
        before, after, true = parted(sound, start, gap)
        ours += float(((bridge(before, after, gap) - true) ** 2).sum())
        lines += float(((straight(before, after, gap) - true) ** 2).sum())
    assert ours < at_most * lines


def test_no_other_samples_surprise_the_model_less() -> None:
    """The normal equations against least squares over the errors themselves."""
    from firmware_bridge.gaps import _burg

    before, after, _ = parted(breath(3000), 1500)
    mean = before.mean(dtype=np.float64)
    error_filter = np.concatenate([[1.0], -_burg(before - mean)])
    known = np.concatenate([before[-ORDER:] - mean, np.zeros(GAP), after[:ORDER] - mean])
    errors = np.zeros((known.size + ORDER, known.size))
    for place in range(known.size):
        errors[place : place + ORDER + 1, place] = error_filter
    errors = errors[ORDER : ORDER + GAP + ORDER]
    gap = slice(ORDER, ORDER + GAP)
    expected, *_ = np.linalg.lstsq(errors[:, gap], -errors @ known, rcond=None)
    np.testing.assert_allclose(bridge(before, after, GAP), expected + mean, atol=1e-6)


def test_sound_that_has_hardly_begun_gets_a_straight_line() -> None:
    before, after = breath(2 * ORDER - 1), breath(100, seed=1)
    np.testing.assert_array_equal(bridge(before, after, 9), straight(before, after, 9))
    np.testing.assert_allclose(bridge(np.zeros(1, np.float32), np.ones(1, np.float32), 3), [0.25, 0.5, 0.75])


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
def test_what_stands_still_stays_still(level: float) -> None:
    still = np.full(BEFORE, level, np.float32)
    np.testing.assert_array_equal(bridge(still, still, GAP), np.full(GAP, level, np.float32))


@given(
    seed=st.integers(0, 1000),
    gap=st.integers(1, GAP),
    behind=st.integers(1, 60),
    scale=st.sampled_from([1e-30, 1e-6, 1.0]),
    kind=st.sampled_from(["noise", "clicks", "steps"]),
)
def test_whatever_stands_around_it_a_bridge_is_finite_and_hardly_louder(
    seed: int, gap: int, behind: int, scale: float, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(BEFORE + behind)
    if kind == "clicks":
        sound *= rng.random(sound.size) < 0.02
    elif kind == "steps":
        sound = np.sign(np.cumsum(sound))
    around = (scale * sound / max(np.abs(sound).max(), 1e-9)).astype(np.float32)
    filled = bridge(around[:BEFORE], around[BEFORE:], gap)
    assert filled.shape == (gap,)
    assert filled.dtype == np.float32
    assert np.abs(filled).max() <= MAX_LOUDER * np.abs(around).max()
    assert np.abs(filled).max() <= 1
