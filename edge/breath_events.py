"""Breath sounds that begin and end: from one result every hop to events, by hysteresis, patience and minimum duration.

Each abnormal class is followed by itself, so that a wheeze may begin before a crackle has ended. Where labels are
decided at an operating point, so are events: an event begins with a window labelled with its class and goes on while
windows are abnormal enough, whatever their class. Elsewhere the probability of the class itself counts. The event that
comes of it is `breath-sound`, told when it has ended, with the fields `device`, `label`, `peak_probability`,
`mean_probability` (of its class, over `windows`, the number of windows that support it) and `model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from edge.events import Event
from edge.labels import LABELS
from edge.operating_point import OperatingPoint
from edge.results import Result

NAME = "breath-sound"
ABNORMAL = LABELS[1:]


@dataclass(frozen=True)
class EventRules:
    """When an abnormal class has been heard.

    The same for every model and stethoscope, because the probabilities of a result are calibrated. Chosen on one half
    of the ICBHI subset's patients and measured on the other, out of fold (docs/results.md).
    """

    open_probability: float = 0.5
    """A window fit to be labelled that gives a class at least this begins an event of that class."""
    close_probability: float = 0.3
    """A window fit to be labelled that gives it at least this supports the event."""
    patience_windows: int = 1
    """Windows in a row that do not support it, refused ones among them, which the event survives."""
    min_duration_s: float = 2.0
    """Shorter events are dropped: at a hop of a second, those that a single window supports."""
    abnormal_threshold: float | None = None
    """Of the operating point that the labels were decided at. Where there is one, 1 - P(normal) counts instead of the
    probability of the class, against the two properties below."""
    open_margin: float = 0.1
    """How much more than the threshold begins an event, of the class that the window is labelled."""
    close_margin: float = 0.1
    """How much less than the threshold still supports it."""

    def __post_init__(self) -> None:
        if not 0 < self.close_probability <= self.open_probability <= 1:
            raise ValueError(
                f"close_probability {self.close_probability} and open_probability {self.open_probability} must rise "
                "from above 0 to at most 1"
            )
        if self.patience_windows < 0 or self.min_duration_s < 0:
            raise ValueError(
                f"patience_windows {self.patience_windows} and min_duration_s {self.min_duration_s} must be 0 or more"
            )
        if self.open_margin < 0 or self.close_margin < 0:
            raise ValueError(f"open_margin {self.open_margin} and close_margin {self.close_margin} must be 0 or more")

    def opens(self, result: Result, label: str) -> bool:
        """Whether a window fit to be labelled begins an event of a class."""
        threshold = self.abnormal_threshold
        if threshold is None:
            return result.probabilities[label] >= self.open_probability
        # Halfway to 1 at most: above a high threshold, too, some window must be able to begin an event.
        opening = min(threshold + self.open_margin, (1 + threshold) / 2)
        return result.label == label and _abnormality(result) >= opening

    def supports(self, result: Result, label: str) -> bool:
        """Whether a window fit to be labelled supports an event of a class that has begun."""
        threshold = self.abnormal_threshold
        if threshold is None:
            return result.probabilities[label] >= self.close_probability
        # Half the threshold at least: above a low one, too, some window must be able to end an event.
        return _abnormality(result) >= max(threshold - self.close_margin, threshold / 2)


def rules_at(point: OperatingPoint | None) -> EventRules:
    """The rules for results whose labels were decided at `point`."""
    return EventRules(abnormal_threshold=None if point is None else point.abnormal_threshold)


@dataclass(frozen=True)
class OpenEvent:
    """An event of one class that has not ended yet."""

    start_s: float
    end_s: float
    """Of what the last window that supports it speaks for, as far as is known."""
    peak_probability: float
    total_probability: float
    windows: int
    missed_windows: int = 0
    """In a row, up to now."""


@dataclass(frozen=True)
class TrackingState:
    """What a stream must remember between results."""

    open_events: Mapping[str, OpenEvent] = field(default_factory=dict)
    """By class."""
    last: Result | None = None


def track(result: Result, state: TrackingState, rules: EventRules) -> tuple[list[Event], TrackingState]:
    """The events that the next window of a stream ends, and the new state.

    A window does not say where in its seven seconds something was heard, and windows overlap. So each speaks for the
    time around its centre, up to halfway to its neighbours' centres; the first one for all before it, too, and the last
    for all after it. An event lasts from where its first supporting window begins to speak to where its last one ends.
    """
    boundary_s = result.start_s if state.last is None else (_centre_s(state.last) + _centre_s(result)) / 2
    followed = {
        label: event
        for label in ABNORMAL
        if (event := _follow(result, label, state.open_events.get(label), boundary_s, rules))
    }
    ended = {label: event for label, event in followed.items() if event.missed_windows > rules.patience_windows}
    still_open = {label: event for label, event in followed.items() if label not in ended}
    return _finished(ended, result, rules), TrackingState(still_open, result)


def finish_tracking(state: TrackingState, rules: EventRules) -> list[Event]:
    """The events that the end of the stream ends."""
    return [] if state.last is None else _finished(state.open_events, state.last, rules)


def events_from_results(results: Iterable[Result], rules: EventRules) -> list[Event]:
    """All events of one recording's windows, in the order in which they end."""
    state, events = TrackingState(), list[Event]()
    for result in results:
        ended, state = track(result, state, rules)
        events += ended
    return events + finish_tracking(state, rules)


def _follow(
    result: Result, label: str, event: OpenEvent | None, boundary_s: float, rules: EventRules
) -> OpenEvent | None:
    """The event of a class after the next window: begun, supported or missed once more; None where there is none.

    Before `boundary_s` the window before this one speaks.
    """
    probability, fit = result.probabilities[label], result.quality.ok
    if event is None:
        opens = fit and rules.opens(result, label)
        return OpenEvent(boundary_s, result.end_s, probability, probability, windows=1) if opens else None
    if not (fit and rules.supports(result, label)):
        end_s = event.end_s if event.missed_windows else boundary_s
        return replace(event, end_s=end_s, missed_windows=event.missed_windows + 1)
    return OpenEvent(
        start_s=event.start_s,
        end_s=result.end_s,
        peak_probability=max(event.peak_probability, probability),
        total_probability=event.total_probability + probability,
        windows=event.windows + 1,
    )


def _finished(events: Mapping[str, OpenEvent], last: Result, rules: EventRules) -> list[Event]:
    return [
        _event(label, event, last)
        for label, event in events.items()
        if event.end_s - event.start_s >= rules.min_duration_s
    ]


def _event(label: str, event: OpenEvent, last: Result) -> Event:
    fields: dict[str, str | int | float | bool | None] = {
        "device": last.device,
        "label": label,
        "peak_probability": round(event.peak_probability, 4),
        "mean_probability": round(event.total_probability / event.windows, 4),
        "windows": event.windows,
        "model": last.model,
    }
    return Event(NAME, last.source, event.start_s, event.end_s, fields)


def _abnormality(result: Result) -> float:
    return 1 - result.probabilities[LABELS[0]]


def _centre_s(result: Result) -> float:
    return (result.start_s + result.end_s) / 2
