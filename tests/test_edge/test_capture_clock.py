"""What is delivered and what is lost add up to the time that passed, whatever happened to the stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat

import pytest

from edge.audio.capture_clock import AWAY, LATENESS_S, MAX_DRIFT, STEP_S, CaptureClock, Loss
from edge.audio.capture_messages import Sound

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

RATE_HZ = 8000
FRAMES = 800
BLOCK_S = FRAMES / RATE_HZ
CALM_S = 6.0
"""Three times what our clock needs to notice a loss by itself."""


@dataclass
class Card:
    """A sound card by what really happens to it; its clock may be off by `drift`, our clock is the truth."""

    drift: float = 0.0
    delays_s: tuple[float, ...] = (0.0,)
    """Of one callback after the other, again and again."""
    adc_offset_s: float = 1e9
    now_s: float = 50.0
    clock: CaptureClock = field(default_factory=lambda: CaptureClock(RATE_HZ))
    losses: list[Loss] = field(default_factory=list)
    blocks: int = 0
    paused_until_s: float = 0.0
    overflowed: bool = False
    dropped_frames: int = 0

    @property
    def passed_s(self) -> float:
        return self.now_s - 50.0

    def sound(self, duration_s: float) -> None:
        for _ in range(round(duration_s / BLOCK_S)):
            adc_s = self.now_s + self.adc_offset_s
            self.now_s += BLOCK_S * (1 + self.drift)
            arrived_s = max(self.now_s + self.delays_s[self.blocks % len(self.delays_s)], self.paused_until_s)
            sound = Sound(FRAMES, arrived_s, adc_s, self.overflowed, self.dropped_frames)
            self.losses += self.clock.take(sound)
            self.blocks, self.overflowed, self.dropped_frames = self.blocks + 1, False, 0

    def gap(self, duration_s: float) -> None:
        self.now_s += duration_s

    def overflow(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.overflowed = True

    def full_queue(self, duration_s: float) -> None:
        blocks = round(duration_s / BLOCK_S)
        self.now_s += blocks * BLOCK_S * (1 + self.drift)
        self.dropped_frames += blocks * FRAMES

    def pause(self, duration_s: float) -> None:
        """Callbacks stop, and then what was captured meanwhile comes in a burst."""
        self.paused_until_s = self.now_s + duration_s
        self.sound(duration_s + BLOCK_S)

    def clock_step(self, duration_s: float) -> None:
        self.adc_offset_s += duration_s

    def clock_step_back(self, duration_s: float) -> None:
        self.adc_offset_s -= duration_s

    def absence(self, duration_s: float) -> None:
        """The capture ends and a new one begins."""
        ticks = round(duration_s / 0.2)
        for _ in range(ticks):
            self.now_s += 0.2
            self.losses += self.clock.pass_time(self.now_s)
        self.adc_offset_s += 17.0
        self.overflowed, self.dropped_frames = False, 0

    @property
    def position_s(self) -> float:
        return self.clock.position / RATE_HZ

    @property
    def lost_s(self) -> float:
        return sum(loss.samples for loss in self.losses) / RATE_HZ


HAPPENINGS = ("gap", "overflow", "full_queue", "pause", "clock_step", "clock_step_back", "absence")
durations_s = st.floats(0.2, 8.0)
stories = st.lists(st.tuples(st.sampled_from(HAPPENINGS), durations_s, st.floats(0.1, 4.0)), max_size=12)
drifts = st.floats(-MAX_DRIFT / 4, MAX_DRIFT / 4)
jitters = st.lists(st.floats(0.0, 0.02), min_size=1, max_size=5).map(tuple)


@settings(max_examples=120, deadline=None)
@given(story=stories, drift=drifts, delays_s=jitters)
def test_sound_and_losses_add_up_to_the_time_that_passed(
    story: list[tuple[str, float, float]], drift: float, delays_s: tuple[float, ...]
) -> None:
    card = Card(drift, delays_s)
    card.sound(3.0)
    for happening, duration_s, sound_s in story:
        getattr(card, happening)(duration_s)
        card.sound(sound_s)
    card.sound(CALM_S)
    assert card.position_s == pytest.approx(card.blocks * BLOCK_S + card.lost_s)
    # Beside what a delay of callbacks may hide, each loss may leave jitter, and the clocks drift apart.
    allowed_s = LATENESS_S + 0.05 * len(story) + 2 * MAX_DRIFT * card.passed_s
    assert abs(card.position_s - card.passed_s) <= allowed_s


@settings(max_examples=60, deadline=None)
@given(story=st.lists(st.tuples(st.sampled_from(("gap", "overflow", "full_queue")), durations_s), max_size=8))
def test_what_portaudio_shows_is_counted_to_the_block(story: list[tuple[str, float]]) -> None:
    card = Card()
    card.sound(3.0)
    for happening, duration_s in story:
        getattr(card, happening)(duration_s)
        card.sound(1.0)
    assert card.position_s == pytest.approx(card.passed_s, abs=STEP_S)
    causes = {"full_queue": "queue-full"}
    assert [loss.cause for loss in card.losses] == [causes.get(name, name) for name, _ in story]


@settings(max_examples=20, deadline=None)
@given(drift=drifts, delays_s=jitters)
def test_drift_is_never_taken_for_a_loss(drift: float, delays_s: tuple[float, ...]) -> None:
    card = Card(drift, delays_s)
    card.sound(300)
    assert card.losses == []


@settings(max_examples=40, deadline=None)
@given(pauses=st.lists(st.tuples(st.floats(0.1, 5.0), st.floats(0.1, 3.0)), max_size=8), delays_s=jitters)
def test_callbacks_that_are_late_cost_nothing(pauses: list[tuple[float, float]], delays_s: tuple[float, ...]) -> None:
    card = Card(delays_s=delays_s)
    card.sound(3.0)
    for pause_s, sound_s in pauses:
        card.pause(pause_s)
        card.sound(sound_s)
    assert card.losses == []


def test_a_sound_server_that_catches_up_is_not_taken_for_a_gap() -> None:
    # As measured with PulseAudio 16.1 after a pause of a second: the ADC time goes back a block, and forth again later.
    card = Card()
    card.sound(3.0)
    card.clock_step_back(BLOCK_S)
    card.pause(0.9)
    card.clock_step(BLOCK_S)
    card.sound(3.0)
    assert card.losses == []


def test_a_gap_that_the_adc_time_does_not_show_is_found_by_our_clock() -> None:
    card = Card()
    card.sound(3.0)
    card.gap(2.0)
    card.clock_step_back(2.0)
    card.sound(5.0)
    assert [loss.cause for loss in card.losses] == ["gap"]
    assert card.lost_s == pytest.approx(2.0, abs=STEP_S)


def test_gaps_too_short_to_be_sure_of_count_once_they_have_added_up() -> None:
    card = Card()
    card.sound(3.0)
    for _ in range(40):
        card.gap(STEP_S * 0.8)
        card.sound(2.0)
    assert card.position_s == pytest.approx(card.passed_s, abs=LATENESS_S + MAX_DRIFT * card.passed_s)
    assert {loss.cause for loss in card.losses} == {"gap"}


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 2.0, -2.0])
def test_a_clock_that_somebody_sets_marks_the_place_and_loses_no_time(step_s: float) -> None:
    card = Card()
    card.sound(3.0)
    card.clock_step(step_s)
    card.sound(10.0)
    assert card.losses == [Loss(1, "clock-jump")]


def test_a_machine_that_slept_has_lost_the_time_it_slept() -> None:
    card = Card()
    card.sound(3.0)
    card.gap(3600.0)
    card.sound(5.0)
    assert card.position_s == pytest.approx(card.passed_s, abs=STEP_S)


def test_a_host_without_adc_times_is_followed_by_our_clock() -> None:
    clock, now_s, losses = CaptureClock(RATE_HZ), 0.0, []
    for lost_s in [*repeat(0.0, 50), 3.0, *repeat(0.0, 80)]:
        now_s += BLOCK_S + lost_s
        losses += clock.take(Sound(FRAMES, now_s, adc_s=0.0))
    assert sum(loss.samples for loss in losses) == pytest.approx(3.0 * RATE_HZ, abs=STEP_S * RATE_HZ)


def test_an_absence_is_lost_as_it_passes_and_settled_by_the_next_sound() -> None:
    card = Card()
    card.sound(3.0)
    card.absence(60.0)
    assert card.position_s == pytest.approx(card.passed_s - LATENESS_S, abs=0.01)
    card.sound(1.0)
    assert card.position_s == pytest.approx(card.passed_s, abs=STEP_S)
    assert {loss.cause for loss in card.losses} == {AWAY}
    assert max(loss.samples for loss in card.losses) <= LATENESS_S * RATE_HZ + 1
