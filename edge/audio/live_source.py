"""A live input that survives what happens to inputs: it is tried again until it delivers, and time goes on meanwhile.

Events of a stream: `source-lost` (`reason`, `idle_s`: how long nothing had arrived), `source-retry` for each attempt
that failed (`attempt`, `error`, `wait_s` until the next), `source-resumed` (`away_s`, `attempts`), `sound-lost` (see
edge/audio/loss_report.py); `source-absent` (`reason`) where an input is waited for that was not there at the start.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from edge.audio.block import AudioBlock
from edge.audio.pacing import Pace
from edge.audio.source import AudioSource, StoppedWaiting
from edge.errors import AudioDeviceError
from edge.events import Event

TICK_S = 0.2
"""How long nothing is said at most, so that the loop that listens can look after other things."""
WAITS_S = (0.5, 1.0, 2.0, 3.0)
"""Before each attempt; the last one again and again."""
GOOD_SOUND_S = 10.0
"""An input that delivered for so long was back: attempts are counted anew."""
MAX_RESTARTS = 1200
"""An hour of attempts: longer than changing a cable takes, short enough to be noticed in the same shift."""
MAX_LOSS_S = 5.0
"""A longer loss comes in pieces, so that whoever makes windows of it can be stopped in between."""

Turn = Callable[[AudioBlock], bool]
"""Gets a block without sound every `TICK_S` until an input is opened at the start; a true answer ends the waiting."""


class SourceFailed(Exception):
    """The input cannot be opened, or delivers no longer."""

    def __init__(self, reason: str, idle_s: float) -> None:
        super().__init__(reason)
        self.idle_s = idle_s
        """How long nothing had arrived."""


@dataclass(frozen=True)
class Persistence:
    """What happens where an input fails."""

    max_restarts: int = MAX_RESTARTS
    """After so many failed attempts in a row it is given up."""
    waits: bool = False
    """Wait for an input that is absent at the start, too; otherwise it is given up at once, as somebody is looking."""
    turn: Turn = field(default=lambda _: False)


class LiveSource(AudioSource):
    """What live inputs have in common; each says how it is opened, how it delivers and how time passes without it."""

    def __init__(self, name: str, persistence: Persistence | None, pace: Pace) -> None:
        """`pace`: the clock of the stream, and what waits between attempts."""
        self.name = name
        self._persistence = persistence or Persistence()
        self._pace = pace
        self._attempts = 0
        self._heard = 0

    @abstractmethod
    def _attempt(self, *, first: bool) -> Iterator[AudioBlock]:
        """Open the input; blocks without sound until its first sound is there. Raises SourceFailed."""

    @abstractmethod
    def _deliver(self) -> Generator[AudioBlock, None, SourceFailed | None]:
        """Sound from the first on, until there is none any more; then why, None where the sound is over."""

    @abstractmethod
    def _pass_time(self) -> int:
        """How many samples are certainly lost since the last block, while nothing can arrive."""

    @abstractmethod
    def _untold(self) -> list[Event]:
        """What has happened and was not told yet."""

    @abstractmethod
    def _position_s(self) -> float:
        """How long the stream is so far."""

    def blocks(self) -> Iterator[AudioBlock]:
        """The sound as it comes, with blocks without any in between at least every `TICK_S`."""
        while (failure := (yield from self._heard_from_here())) is not None:
            yield from self._reopen(failure, "source-lost")

    def _open_first(self) -> None:
        """Open it for the first time. Raises AudioDeviceError, and StoppedWaiting."""
        turn = self._persistence.turn
        try:
            _wait_for(self._attempt(first=True), turn)
        except SourceFailed as failure:
            if not self._persistence.waits:
                raise AudioDeviceError(str(failure)) from failure
            _wait_for(self._reopen(failure, "source-absent"), turn)

    def _heard_from_here(self) -> Generator[AudioBlock, None, SourceFailed | None]:
        self._heard = 0
        return (yield from self._deliver())

    def _reopen(self, failure: SourceFailed, event_name: str) -> Iterator[AudioBlock]:
        """Blocks without sound until the input is back. Raises AudioDeviceError where it is given up."""
        self.close()
        lost_at_s, begin_s = self._position_s(), self._pace.clock() - failure.idle_s
        lost = self._event(event_name, reason=str(failure), idle_s=round(failure.idle_s, 3))
        yield from self._silence(*self._untold(), lost)
        while self._attempts < self._persistence.max_restarts:
            yield from self._pause(self._next_wait_s())
            self._attempts += 1
            try:
                yield from self._attempt(first=False)
            except SourceFailed as again:
                self.close()
                failure = again
                yield from self._silence(self._retry_event(failure))
            else:
                away_s = round(self._pace.clock() - begin_s, 3)
                resumed = self._event("source-resumed", away_s=away_s, attempts=self._attempts)
                yield from self._silence(replace(resumed, start_s=lost_at_s))
                return
        raise AudioDeviceError(f"{self.name}: given up after {self._attempts} failed attempts; the last one: {failure}")

    def _retry_event(self, failure: SourceFailed) -> Event:
        last = self._attempts >= self._persistence.max_restarts
        wait_s = None if last else self._next_wait_s()
        return self._event("source-retry", attempt=self._attempts, error=str(failure), wait_s=wait_s)

    def _next_wait_s(self) -> float:
        return WAITS_S[min(self._attempts, len(WAITS_S) - 1)]

    def _pause(self, wait_s: float) -> Iterator[AudioBlock]:
        for _ in range(round(wait_s / TICK_S)):
            self._pace.sleep(TICK_S)
            yield from self._silence()

    def _silence(self, *events: Event) -> Iterator[AudioBlock]:
        """The time that has passed without sound, and what happened in it."""
        *pieces, last = self._pieces(self._pass_time())
        yield from pieces
        yield replace(last, events=events)

    def _pieces(self, lost_samples: int) -> list[AudioBlock]:
        """Blocks without sound that lose as much, none of them for long; at least one."""
        if lost_samples == 0:
            return [empty_block()]
        long_samples = round(MAX_LOSS_S * self.sample_rate_hz)
        long_pieces, rest = divmod(lost_samples, long_samples)
        return [*(empty_block(long_samples) for _ in range(long_pieces)), empty_block(rest)]

    def _note_good_sound(self, samples: int) -> None:
        self._heard += samples
        if self._heard >= GOOD_SOUND_S * self.sample_rate_hz:
            self._attempts = 0

    def _event(self, name: str, **fields: str | float | None) -> Event:
        now_s = self._position_s()
        return Event(name, self.name, now_s, now_s, fields)


def empty_block(lost_samples: int = 0) -> AudioBlock:
    """No sound, behind as much that was lost."""
    return AudioBlock(np.zeros(0, np.float32), lost_samples)


def _wait_for(steps: Iterator[AudioBlock], turn: Turn) -> None:
    """Take all `steps`, telling `turn` of each. Raises StoppedWaiting where it says so."""
    if any(turn(block) for block in steps):
        raise StoppedWaiting
