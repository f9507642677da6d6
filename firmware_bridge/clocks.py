"""How fast a device's samples come by the host's clock, and how old they are when they arrive.

What arrives may be late, by jitter, but never early. So in a plot of the delay of frames over time the line that lies
under all points and nearest to them shows how the clocks run: S. B. Moon, P. Skelly and D. Towsley, "Estimation and
removal of clock skew from network delay measurements", IEEE INFOCOM 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

Point = tuple[float, float]
"""Time and delay, in seconds."""

PERIOD_S = 0.5
"""The promptest frame of each period is kept, ..."""
MAX_PERIODS = 64
"""... and where there are so many, periods twice as long begin."""
MIN_SPAN_S = 10.0
"""Over less, the delay of a single frame is worth hundreds of ppm."""
TIMER_S = 1e-4
"""A host's clock and its serial port tell no finer when something arrived."""


@dataclass(frozen=True)
class RateEstimate:
    """A device's rate by the host's clock."""

    rate_hz: float
    ppm: float
    """Above what it declared."""
    uncertainty_ppm: float
    span_s: float
    """Over how long it was measured."""


class RateMeter:
    """Measures the rate of one run of samples in little memory, however long it lasts."""

    def __init__(self, declared_hz: float) -> None:
        self._declared_hz = declared_hz
        self._period_s = PERIOD_S
        self._promptest: dict[int, Point] = {}
        self._first: tuple[int, float] | None = None
        self._drift = 0.0

    def add(self, end_index: int, arrived_s: float) -> None:
        """Note that the sample before `end_index`, unwrapped, arrived at `arrived_s`."""
        first_index, first_s = self._first = self._first or (end_index, arrived_s)
        time_s = arrived_s - first_s
        point = time_s, time_s - (end_index - first_index) / self._declared_hz
        period = int(time_s // self._period_s)
        kept = self._promptest.get(period)
        if kept is None and len(self._promptest) >= MAX_PERIODS:
            self._double_periods()
            period //= 2
            kept = self._promptest.get(period)
        self._promptest[period] = point if kept is None else self._prompter(kept, point)

    def maybe_estimate(self) -> RateEstimate | None:
        """The rate so far; None until it was measured for `MIN_SPAN_S`."""
        points = sorted(self._promptest.values())
        span_s = points[-1][0] - points[0][0] if points else 0.0
        if span_s < MIN_SPAN_S:
            return None
        self._drift, offset_s = line_under(points)
        above_s = median(delay_s - offset_s - self._drift * time_s for time_s, delay_s in points)
        rate_hz = self._declared_hz * (1 - self._drift)
        return RateEstimate(rate_hz, -self._drift * 1e6, 2 * (above_s + TIMER_S) / span_s * 1e6, span_s)

    def _prompter(self, one: Point, other: Point) -> Point:
        """Beside the drift so far: a fast device's last frame of a period would win otherwise."""
        return min(one, other, key=lambda point: point[1] - self._drift * point[0])

    def _double_periods(self) -> None:
        self.maybe_estimate()
        halved, self._promptest = self._promptest, {}
        self._period_s *= 2
        for period, point in halved.items():
            kept = self._promptest.get(period // 2, point)
            self._promptest[period // 2] = self._prompter(kept, point)


def line_under(points: Sequence[Point]) -> tuple[float, float]:
    """Slope and value at time 0 of the line under all `points`, two or more sorted ones, that lies nearest to them on
    average: the edge of their lower convex hull over their mean time.
    """
    hull = _lower_hull(points)
    mean_s = sum(time_s for time_s, _ in points) / len(points)
    (left_s, left), (right_s, right) = next(edge for edge in pairwise(hull) if mean_s <= edge[1][0])
    slope = (right - left) / (right_s - left_s)
    return slope, left - slope * left_s


def _lower_hull(points: Sequence[Point]) -> list[Point]:
    """Andrew's monotone chain."""
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and not _turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _turns_left(one: Point, two: Point, three: Point) -> bool:
    return (two[0] - one[0]) * (three[1] - one[1]) > (two[1] - one[1]) * (three[0] - one[0])


@dataclass(frozen=True)
class DeviceClock:
    """A device's wrapping microseconds in the host's time, as its latest PONG shows."""

    t_us: int
    host_s: float
    """When the device's clock stood there: in the middle between PING and PONG."""
    round_trip_s: float

    def host_time_s(self, t_us: int) -> float:
        """When the device's clock stood at `t_us`, at most 35 minutes from the PONG."""
        return self.host_s + signed(t_us - self.t_us, 32) * 1e-6


def clock_from_pong(t_us: int, sent_s: float, arrived_s: float) -> DeviceClock:
    """What a PONG of the device's time `t_us` shows."""
    return DeviceClock(t_us, (sent_s + arrived_s) / 2, arrived_s - sent_s)


def signed(difference: int, bits: int) -> int:
    """The difference of two numbers that wrap, between -2^(bits-1) and 2^(bits-1) - 1 (RFC 1982)."""
    half = 1 << bits - 1
    return (difference + half) % (1 << bits) - half
