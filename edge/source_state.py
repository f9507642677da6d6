"""Is the source there? Told by its events, shown by the live view."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.events import Event

LOST, RETRY, RESUMED = "source-lost", "source-retry", "source-resumed"


@dataclass(frozen=True)
class SourceState:
    """Whether a source delivers sound."""

    away_since_s: float | None = None
    """By the clock that `state_after` was given; None while it is there."""
    attempts: int = 0
    """To get it back."""


CONNECTED = SourceState()


def state_after(event: Event, state: SourceState, now_s: float) -> SourceState:
    """The state once `event` happened at `now_s`."""
    if event.name == LOST:
        return SourceState(now_s)
    if event.name == RETRY and state.away_since_s is not None:
        return replace(state, attempts=state.attempts + 1)
    return CONNECTED if event.name == RESUMED else state


def words_of_state(state: SourceState, now_s: float) -> str:
    """`connected`, or for how long it has been away."""
    if state.away_since_s is None:
        return "connected"
    attempt = f", attempt {state.attempts}" if state.attempts else ""
    return f"AWAY for {now_s - state.away_since_s:.0f} s{attempt}"
