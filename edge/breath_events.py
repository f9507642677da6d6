"""Breath sounds that begin and end: from one result every hop to events, by hysteresis, patience and minimum duration.

Each abnormal class is followed by itself, so that a wheeze may begin before a crackle has ended. The event that comes
of it is `breath-sound`, with the fields `device`, `label`, `peak_probability`, `mean_probability` (over `windows`, the
windows that support it) and `model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from edge.events import Event
from edge.labels import LABELS
from edge.results import Result

NAME = "breath-sound"
ABNORMAL = LABELS[1:]


@dataclass(frozen=True)
class EventRules:
    """When an abnormal class has been heard; probabilities are the calibrated ones of the results."""

    open_probability: float = 0.6
    """A window fit to be labelled that gives a class at least this begins an event of that class."""
    close_probability: float = 0.4
    """A window that gives it at least this supports the event."""
    patience_windows: int = 1
    """Windows in a row that do not support it, refused ones among them, which the event survives."""
    min_duration_s: float = 2.0
    """Shorter events are dropped."""

    def __post_init__(self) -> None:
        if not 0 < self.close_probability <= self.open_probability <= 1:
            raise ValueError("an event needs 0 < close_probability <= open_probability <= 1")
        if self.patience_windows < 0 or self.min_duration_s < 0:
            raise ValueError("patience_windows and min_duration_s are 0 or more")


@dataclass(frozen=True)
class OpenEvent:
    """An event of one class that has not ended yet."""

    start_s: float
    end_s: float
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
    """The events that the next result of a stream ends, and the new state.

    Windows overlap, and a window does not say where in it something was heard: each speaks for the time around its
    centre, up to halfway to its neighbours' centres; the first one for all before it, too, and the last for all after
    it. An event lasts from where its first supporting window begins to speak to where its last one ends.
    """
    since_s = result.start_s if state.last is None else (_centre_s(state.last) + _centre_s(result)) / 2
    ended: list[Event] = []
    still_open: dict[str, OpenEvent] = {}
    for label in ABNORMAL:
        event = state.open_events.get(label)
        if event is not None and event.missed_windows == 0:
            event = replace(event, end_s=since_s)
        event = _heard(result, label, event, since_s, rules)
        if event is None:
            continue
        if event.missed_windows > rules.patience_windows:
            ended += _finished(event, label, result, rules)
        else:
            still_open[label] = event
    return ended, TrackingState(still_open, result)


def finish_tracking(state: TrackingState, rules: EventRules) -> list[Event]:
    """The events that the end of the stream ends."""
    if state.last is None:
        return []
    last = state.last
    ended: list[Event] = []
    for label, event in state.open_events.items():
        until_s = event.end_s if event.missed_windows else last.end_s
        ended += _finished(replace(event, end_s=until_s), label, last, rules)
    return ended


def events_from_results(results: Iterable[Result], rules: EventRules) -> list[Event]:
    """All events of a whole recording's windows, in the order in which they end."""
    state, events = TrackingState(), []
    for result in results:
        ended, state = track(result, state, rules)
        events += ended
    return events + finish_tracking(state, rules)


def _heard(result: Result, label: str, event: OpenEvent | None, since_s: float, rules: EventRules) -> OpenEvent | None:
    """The event after this window: begun, supported or missed once more; None where there is none."""
    probability = result.probabilities[label] if result.label is not None else 0.0
    if event is None:
        if probability < rules.open_probability:
            return None
        return OpenEvent(since_s, result.end_s, probability, probability, windows=1)
    if probability < rules.close_probability:
        return replace(event, missed_windows=event.missed_windows + 1)
    return replace(
        event,
        end_s=result.end_s,
        peak_probability=max(event.peak_probability, probability),
        total_probability=event.total_probability + probability,
        windows=event.windows + 1,
        missed_windows=0,
    )


def _finished(event: OpenEvent, label: str, result: Result, rules: EventRules) -> list[Event]:
    if event.end_s - event.start_s < rules.min_duration_s:
        return []
    fields: dict[str, str | int | float | bool | None] = {
        "device": result.device,
        "label": label,
        "peak_probability": round(event.peak_probability, 4),
        "mean_probability": round(event.total_probability / event.windows, 4),
        "windows": event.windows,
        "model": result.model,
    }
    return [Event(NAME, result.source, event.start_s, event.end_s, fields)]


def _centre_s(result: Result) -> float:
    return (result.start_s + result.end_s) / 2
