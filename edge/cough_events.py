"""Coughs as events: told when they have ended, each once however many windows hold it, with the field `device`."""

from __future__ import annotations

from collections.abc import Iterable

from edge.coughs_and_voices.coughs import Cough
from edge.events import Event

NAME = "cough"


def events_from_coughs(coughs: Iterable[Cough], source: str, device: str) -> list[Event]:
    """One each, in their order."""
    return [Event(NAME, source, max(cough.start_s, 0.0), cough.end_s, {"device": device}) for cough in coughs]


def per_hour(coughs: int, sound_s: float) -> float:
    """Of a stretch of sound; 0 where there was none."""
    return 3600 * coughs / sound_s if sound_s > 0 else 0.0
