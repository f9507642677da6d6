"""An event in a line that a person reads."""

from __future__ import annotations

from edge import breath_events, cough_events
from edge.events import Event

SHOWN_FIELDS = 3
"""The first ones of an event that nothing is known about here."""


def words_of_event(event: Event) -> str:
    """Such as `wheeze for 4.0 s, 83% at its clearest` or `source retry: attempt 2, wait_s 4.0`."""
    if event.name == breath_events.NAME:
        peak = event.fields["peak_probability"]
        return f"{event.fields['label']} for {event.end_s - event.start_s:.1f} s, {peak:.0%} at its clearest"
    if event.name == cough_events.NAME:
        return f"cough for {event.end_s - event.start_s:.1f} s"
    told = ", ".join(_words_of_field(name, value) for name, value in list(event.fields.items())[:SHOWN_FIELDS])
    name = event.name.replace("-", " ")
    return f"{name}: {told}" if told else name


def _words_of_field(name: str, value: str | float | bool | None) -> str:
    if isinstance(value, str):
        return value
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
