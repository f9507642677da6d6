"""Is the source there, and is it recorded? Told by events, shown by the live view."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.events import Event

AWAY = ("source-lost", "source-absent")
RETRY, RESUMED = "source-retry", "source-resumed"
RECORDING_STARTED, RECORDING_STOPPED = "recording-started", "recording-stopped"


@dataclass(frozen=True)
class SourceState:
    """Whether a source delivers sound, and whether that is kept."""

    away_since_s: float | None = None
    """By the clock that `state_after` was given; None while it is there."""
    failed_attempts: int = 0
    """To get it back."""
    recorded: bool = False
    stopped_reason: str | None = None
    """Why recording stopped."""

    @property
    def well(self) -> bool:
        """Nothing that a person would have to see to."""
        return self.away_since_s is None and self.stopped_reason is None


CONNECTED = SourceState()


def state_after(event: Event, state: SourceState, now_s: float) -> SourceState:
    """The state once `event` happened at `now_s`."""
    if event.name in AWAY:
        return replace(state, away_since_s=now_s, failed_attempts=0)
    if event.name == RETRY:
        return replace(state, failed_attempts=state.failed_attempts + 1)
    if event.name == RESUMED:
        return replace(state, away_since_s=None)
    if event.name == RECORDING_STARTED:
        return replace(state, recorded=True)
    if event.name == RECORDING_STOPPED:
        return replace(state, recorded=False, stopped_reason=str(event.fields["reason"]))
    return state


def words_of_state(state: SourceState, now_s: float) -> str:
    """`connected`, or for how long it has been away, and what becomes of the sound."""
    words = "connected"
    if state.away_since_s is not None:
        words = f"AWAY for {now_s - state.away_since_s:.0f} s, attempt {state.failed_attempts + 1}"
    if state.stopped_reason is not None:
        return f"{words}  RECORDING STOPPED ({state.stopped_reason})"
    return f"{words}  recording" if state.recorded else words
