"""Events about sound that is missing: the first of a kind at once, and then their sum, at most one a minute.

`sound-lost`: `cause` as in `Loss`, `lost_s` the sum, `times` how often. A card that overflows with every callback
would fill the disk of a machine that runs for months.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.audio.capture_clock import Loss
from edge.events import Event

INTERVAL_S = 60.0


@dataclass(frozen=True)
class _Untold:
    start: int
    end: int
    lost: int
    times: int


class LossReport:
    """Collects losses of one stream. Positions are samples of the stream."""

    def __init__(self, source: str, sample_rate_hz: int) -> None:
        self._source = source
        self._rate_hz = sample_rate_hz
        self._untold: dict[str, _Untold] = {}
        self._told_at: dict[str, int] = {}

    def add(self, loss: Loss, start: int) -> None:
        """Note a loss that begins at `start`."""
        before = self._untold.get(loss.cause, _Untold(start, start, 0, 0))
        self._untold[loss.cause] = _Untold(
            before.start, start + loss.samples, before.lost + loss.samples, before.times + 1
        )

    def due(self, position: int, everything: bool = False) -> list[Event]:
        """What is to be told at `position`; `everything`: also what was told of less than a minute ago."""
        due = [cause for cause in self._untold if everything or self._is_due(cause, position)]
        self._told_at.update(dict.fromkeys(due, position))
        return [self._event(cause, self._untold.pop(cause)) for cause in due]

    def _is_due(self, cause: str, position: int) -> bool:
        told_at = self._told_at.get(cause)
        return told_at is None or position - told_at >= INTERVAL_S * self._rate_hz

    def _event(self, cause: str, untold: _Untold) -> Event:
        fields: dict[str, str | float] = {
            "cause": cause,
            "lost_s": round(untold.lost / self._rate_hz, 3),
            "times": untold.times,
        }
        return Event("sound-lost", self._source, untold.start / self._rate_hz, untold.end / self._rate_hz, fields)
