"""A live input that survives what happens to inputs: cables, sound servers, cards that come back under another number.

PortAudio runs in a process of its own (edge/audio/portaudio_program.py says why). Here its blocks become sound with
marked gaps, and where it fails or falls silent, it is started again until the same input delivers.

Events of a stream: `source-lost` (`reason`, `idle_s`: how long nothing had arrived), `source-retry` for each attempt
that failed (`attempt`, `error`, `wait_s` until the next), `source-resumed` (`away_s`, `attempts`), `sound-lost` (see
edge/audio/loss_report.py); `source-absent` (`reason`) where an input is waited for that was not there at the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge.audio.block import AudioBlock, block_from_channels
from edge.audio.capture import TICK_S, Capture, CaptureFailed, Limits
from edge.audio.capture_clock import AWAY, CaptureClock, Loss, boot_clock_s
from edge.audio.capture_messages import Opened, Sound
from edge.audio.capture_process import ANSWER_S
from edge.audio.loss_report import LossReport
from edge.audio.source import AudioSource, StoppedWaiting
from edge.errors import AudioDeviceError
from edge.events import Event

QUEUE_S = 10.0
"""How far the consumer may fall behind before sound is lost: longer than a window."""
STALL_S = 1.5
"""Callbacks may just stop when a card is unplugged; a sound server may pause them for a second."""
AT_THE_START = Limits(open_s=ANSWER_S, first_sound_s=10.0, stall_s=STALL_S)
"""A sound server may have to be started and to wake its card, on a busy machine."""
AGAIN = Limits(open_s=4.0, first_sound_s=3.5, stall_s=STALL_S)
"""An input shall be heard within 10 s of its return: an attempt that is stuck, a wait, and an attempt that works."""
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


@dataclass(frozen=True)
class Persistence:
    """What happens where an input fails."""

    max_restarts: int = MAX_RESTARTS
    """After so many failed attempts in a row it is given up."""
    waits: bool = False
    """Wait for an input that is absent at the start, too; otherwise it is given up at once, as somebody is looking."""
    turn: Turn = field(default=lambda _: False)


class MicrophoneSource(AudioSource):
    """A live input. It captures from the start, into a queue, so that a slow start-up of the consumer loses nothing."""

    def __init__(
        self,
        selector: str = "",
        *,
        persistence: Persistence | None = None,
        queue_s: float = QUEUE_S,
    ) -> None:
        """Open the input that `selector` names for `choose_input`. Raises AudioDeviceError, and StoppedWaiting."""
        self.name = f"mic:{selector}" if selector else "mic"
        self._persistence = persistence or Persistence()
        self._selector = selector
        self._queue_s = queue_s
        self._attempts = 0
        self._heard = 0
        self._clock: CaptureClock | None = None
        self._capture: Capture | None = None
        try:
            opened = self._open_first()
        except BaseException:
            self.close()
            raise
        self.name = f"mic:{opened.name}"
        self.sample_rate_hz = opened.sample_rate_hz
        # From now on exactly this input: another one may fit the same words while this one is away.
        self._selector = opened.selector
        self._channels = opened.channels
        self._clock = CaptureClock(self.sample_rate_hz)
        self._losses = LossReport(self.name, self.sample_rate_hz)

    def blocks(self) -> Iterator[AudioBlock]:
        while True:
            failure = yield from self._deliver()
            yield from self._reopen(failure, "source-lost")

    def close(self) -> None:
        if self._capture is not None:
            self._capture.close()

    def _open_first(self) -> Opened:
        turn = self._persistence.turn
        try:
            _wait_for(self._attempt(AT_THE_START), turn)
        except CaptureFailed as failure:
            if not self._persistence.waits:
                raise AudioDeviceError(str(failure)) from failure
            _wait_for(self._reopen(failure, "source-absent"), turn)
        assert self._capture is not None
        assert self._capture.maybe_opened is not None
        return self._capture.maybe_opened

    def _attempt(self, limits: Limits) -> Iterator[AudioBlock]:
        """Open the input; blocks without sound until its first sound is there. Raises CaptureFailed."""
        rate_hz = None if self._clock is None else self.sample_rate_hz
        self._capture = Capture(self._selector, rate_hz, self._queue_s)
        self._sounds = self._capture.sounds(limits)
        for sound in self._sounds:
            if sound is not None:
                self._first_sound = sound
                return
            yield from self._silence()

    def _deliver(self) -> Generator[AudioBlock, None, CaptureFailed]:
        """Sound from the first on, until there is none any more; then why."""
        self._heard = 0
        try:
            yield from self._blocks_from(self._first_sound)
            for sound in self._sounds:
                yield from [_empty_block()] if sound is None else self._blocks_from(sound)
        except CaptureFailed as failure:
            return failure
        raise AssertionError("sounds end with an exception only")

    def _reopen(self, failure: CaptureFailed, event_name: str) -> Iterator[AudioBlock]:
        """Blocks without sound until the input is back. Raises AudioDeviceError where it is given up."""
        self.close()
        lost_at_s, begin_s = self._position_s(), boot_clock_s() - failure.idle_s
        lost = self._event(event_name, reason=str(failure), idle_s=round(failure.idle_s, 3))
        yield from self._silence(*self._untold(), lost)
        while self._attempts < self._persistence.max_restarts:
            yield from self._pause(self._next_wait_s())
            self._attempts += 1
            try:
                yield from self._attempt(AGAIN)
            except CaptureFailed as again:
                self.close()
                failure = again
                yield from self._silence(self._retry_event(failure))
            else:
                away_s = round(boot_clock_s() - begin_s, 3)
                resumed = self._event("source-resumed", away_s=away_s, attempts=self._attempts)
                yield from self._silence(replace(resumed, start_s=lost_at_s))
                return
        raise AudioDeviceError(f"{self.name}: given up after {self._attempts} failed attempts; the last one: {failure}")

    def _retry_event(self, failure: CaptureFailed) -> Event:
        last = self._attempts >= self._persistence.max_restarts
        wait_s = None if last else self._next_wait_s()
        return self._event("source-retry", attempt=self._attempts, error=str(failure), wait_s=wait_s)

    def _next_wait_s(self) -> float:
        return WAITS_S[min(self._attempts, len(WAITS_S) - 1)]

    def _pause(self, wait_s: float) -> Iterator[AudioBlock]:
        for _ in range(round(wait_s / TICK_S)):
            time.sleep(TICK_S)
            yield from self._silence()

    def _blocks_from(self, sound: Sound) -> Iterator[AudioBlock]:
        """The sound behind what was lost before it."""
        assert self._clock is not None
        start = self._clock.position
        losses = self._clock.take(sound)
        for loss in losses:
            if loss.cause != AWAY:  # the events of the source tell of that
                self._losses.add(loss, start)
            start += loss.samples
        *pieces, last = self._pieces(losses)
        yield from pieces
        channels = np.frombuffer(sound.data, np.float32).reshape(sound.frames, self._channels)
        events = tuple(self._losses.due(self._clock.position))
        yield replace(block_from_channels(channels, last.lost_samples), events=events)
        self._note_good_sound(sound.frames)

    def _silence(self, *events: Event) -> Iterator[AudioBlock]:
        """The time that has passed without sound, and what happened in it."""
        losses = [] if self._clock is None else self._clock.pass_time(boot_clock_s())
        *pieces, last = self._pieces(losses)
        yield from pieces
        yield replace(last, events=events)

    def _pieces(self, losses: Sequence[Loss]) -> list[AudioBlock]:
        """Blocks without sound that lose as much, none of them for long; at least one."""
        long_samples = 1 if self._clock is None else round(MAX_LOSS_S * self.sample_rate_hz)
        long_pieces, rest = divmod(sum(loss.samples for loss in losses), long_samples)
        return [*(_empty_block(long_samples) for _ in range(long_pieces)), _empty_block(rest)]

    def _note_good_sound(self, frames: int) -> None:
        self._heard += frames
        if self._heard >= GOOD_SOUND_S * self.sample_rate_hz:
            self._attempts = 0

    def _untold(self) -> list[Event]:
        return [] if self._clock is None else self._losses.due(self._clock.position, everything=True)

    def _position_s(self) -> float:
        return 0.0 if self._clock is None else self._clock.position / self.sample_rate_hz

    def _event(self, name: str, **fields: str | float | None) -> Event:
        now_s = self._position_s()
        return Event(name, self.name, now_s, now_s, fields)


def _wait_for(steps: Iterator[AudioBlock], turn: Turn) -> None:
    """Take all `steps`, telling `turn` of each. Raises StoppedWaiting where it says so."""
    if any(turn(block) for block in steps):
        raise StoppedWaiting


def _empty_block(lost_samples: int = 0) -> AudioBlock:
    return AudioBlock(np.zeros(0, np.float32), lost_samples)
