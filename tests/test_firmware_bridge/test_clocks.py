"""The rate of a device and the age of its sound, behind jitter, bursts and clocks that wrap."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.clocks import MAX_PERIODS, RateEstimate, RateMeter, clock_from_pong, line_under, signed


def measured(
    declared_hz: float, true_hz: float, duration_s: float, late_s: NDArray[np.float64], frame: int = 128
) -> RateEstimate | None:
    """What a meter says after `duration_s` of frames, each as late as the next of `late_s` says."""
    meter = RateMeter(declared_hz)
    ends = np.arange(1, int(duration_s * true_hz / frame)) * frame
    # Frames of one stream do not overtake each other.
    arrivals_s = np.maximum.accumulate(ends / true_hz + np.resize(late_s, ends.size))
    for end, arrived_s in zip(ends.tolist(), arrivals_s.tolist(), strict=True):
        meter.add(end, arrived_s)
    return meter.maybe_estimate()


def jitter_s(seed: int, scale_s: float = 0.008) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0, scale_s, 100_003)


@pytest.mark.parametrize("true_hz", [16000.0, 16124.0, 15999.0, 16003.2])
@pytest.mark.parametrize("duration_s", [20, 120])
def test_the_rate_is_found_behind_8_ms_of_jitter_and_lies_within_the_uncertainty(
    true_hz: float, duration_s: float
) -> None:
    estimate = measured(16000, true_hz, duration_s, jitter_s(1))
    assert estimate is not None
    true_ppm = (true_hz / 16000 - 1) * 1e6
    assert abs(estimate.ppm - true_ppm) <= estimate.uncertainty_ppm
    assert estimate.uncertainty_ppm < 3000 / duration_s
    assert estimate.rate_hz == pytest.approx(true_hz, rel=estimate.uncertainty_ppm * 1e-6)
    assert estimate.span_s == pytest.approx(duration_s, abs=4)


def test_an_hour_is_measured_to_a_few_ppm_in_constant_memory() -> None:
    estimate = measured(4000, 4000.48, 3600, jitter_s(2, 0.020))
    assert estimate is not None
    assert estimate.ppm == pytest.approx(120, abs=1)
    assert estimate.uncertainty_ppm < 5
    meter = RateMeter(4000)
    for second in range(100_000):
        meter.add(second * 4000, second)
    assert len(pickle.dumps(meter)) < 100 * MAX_PERIODS


def test_pauses_of_the_host_do_not_count_as_a_slow_device() -> None:
    late_s = jitter_s(3)
    late_s[::500] += 0.4  # bursts follow, as frames do not overtake each other
    estimate = measured(4000, 4000, 60, late_s)
    assert estimate is not None
    assert abs(estimate.ppm) < estimate.uncertainty_ppm < 200


def test_a_rate_is_not_told_too_early() -> None:
    assert measured(4000, 4000, 9, jitter_s(4)) is None
    assert RateMeter(4000).maybe_estimate() is None


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, unique_by=lambda point: point[0]))
def test_the_line_lies_under_all_points_and_nearest_to_them(points: list[tuple[int, int]]) -> None:
    points = sorted(points)
    slope, offset = line_under([(float(time), float(delay)) for time, delay in points])
    times, delays = np.array(points, float).T
    above = delays - offset - slope * times
    assert above.min() >= -1e-6
    for one in range(len(points)):  # no line through two of the points that is under all is nearer
        for other in range(one):
            steepness = (delays[one] - delays[other]) / (times[one] - times[other])
            gaps = delays - delays[one] - steepness * (times - times[one])
            assert gaps.min() < -1e-6 or gaps.mean() >= above.mean() - 1e-6


def test_a_pong_tells_the_devices_time_in_the_hosts() -> None:
    clock = clock_from_pong(5_000_000, sent_s=100.0, arrived_s=100.010)
    assert clock.round_trip_s == pytest.approx(0.010)
    assert clock.host_time_s(5_250_000) == pytest.approx(100.255)
    assert clock.host_time_s(4_000_000) == pytest.approx(99.005)


def test_a_clock_that_wrapped_since_the_pong_is_understood() -> None:
    clock = clock_from_pong(2**32 - 1_000_000, sent_s=100.0, arrived_s=100.0)
    assert clock.host_time_s(500_000) == pytest.approx(101.5)
    clock = clock_from_pong(500_000, sent_s=100.0, arrived_s=100.0)
    assert clock.host_time_s(2**32 - 1_000_000) == pytest.approx(98.5)


@pytest.mark.parametrize(("later", "earlier", "bits", "difference"), [
    (5, 3, 16, 2), (3, 5, 16, -2), (0, 65535, 16, 1), (65535, 0, 16, -1), (2**15, 0, 16, -(2**15)),
    (2**15 - 1, 0, 16, 2**15 - 1), (100, 2**32 - 100, 32, 200),
])  # fmt: skip
def test_numbers_that_wrap_are_compared_as_in_rfc_1982(later: int, earlier: int, bits: int, difference: int) -> None:
    assert signed(later - earlier, bits) == difference
