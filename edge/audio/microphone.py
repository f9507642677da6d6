"""A sound card or the input of a sound server, live.

PortAudio runs in a process of its own (edge/audio/portaudio_program.py says why). Here its blocks become sound with
marked gaps, and where it fails or falls silent, it is started again until the same input delivers.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from edge.audio.block import AudioBlock, block_from_channels
from edge.audio.capture import Capture, Limits
from edge.audio.capture_clock import AWAY, CaptureClock, boot_clock_s
from edge.audio.capture_messages import Opened, Sound
from edge.audio.capture_process import ANSWER_S
from edge.audio.live_source import LiveSource, Persistence, SourceFailed, empty_block
from edge.audio.loss_report import LossReport
from edge.audio.pacing import Pace
from edge.events import Event

QUEUE_S = 10.0
"""How far the consumer may fall behind before sound is lost: longer than a window."""
STALL_S = 1.5
"""Callbacks may just stop when a card is unplugged; a sound server may pause them for a second."""
AT_THE_START = Limits(open_s=ANSWER_S, first_sound_s=10.0, stall_s=STALL_S)
"""A sound server may have to be started and to wake its card, on a busy machine."""
AGAIN = Limits(open_s=4.0, first_sound_s=3.5, stall_s=STALL_S)
"""An input shall be heard within 10 s of its return: an attempt that is stuck, a wait, and an attempt that works."""


class MicrophoneSource(LiveSource):
    """A live input. It captures from the start, into a queue, so that a slow start-up of the consumer loses nothing."""

    def __init__(
        self,
        selector: str = "",
        *,
        persistence: Persistence | None = None,
        queue_s: float = QUEUE_S,
    ) -> None:
        """Open the input that `selector` names for `choose_input`. Raises AudioDeviceError, and StoppedWaiting."""
        super().__init__(f"mic:{selector}" if selector else "mic", persistence, Pace(boot_clock_s, time.sleep))
        self._selector = selector
        self._queue_s = queue_s
        self._clock: CaptureClock | None = None
        self._capture: Capture | None = None
        try:
            self._open_first()
        except BaseException:
            self.close()
            raise
        opened = self._opened()
        self.name = f"mic:{opened.name}"
        self.sample_rate_hz = opened.sample_rate_hz
        # From now on exactly this input: another one may fit the same words while this one is away.
        self._selector = opened.selector
        self._channels = opened.channels
        self._clock = CaptureClock(self.sample_rate_hz)
        self._losses = LossReport(self.name, self.sample_rate_hz)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.close()

    def _opened(self) -> Opened:
        assert self._capture is not None
        assert self._capture.maybe_opened is not None
        return self._capture.maybe_opened

    def _attempt(self, *, first: bool) -> Iterator[AudioBlock]:
        rate_hz = None if self._clock is None else self.sample_rate_hz
        self._capture = Capture(self._selector, rate_hz, self._queue_s)
        self._sounds = self._capture.sounds(AT_THE_START if first else AGAIN)
        for sound in self._sounds:
            if sound is not None:
                self._first_sound = sound
                return
            yield from self._silence()

    def _deliver(self) -> Generator[AudioBlock, None, SourceFailed]:
        try:
            yield from self._blocks_from(self._first_sound)
            for sound in self._sounds:
                yield from [empty_block()] if sound is None else self._blocks_from(sound)
        except SourceFailed as failure:
            return failure
        raise AssertionError("sounds end with an exception only")

    def _blocks_from(self, sound: Sound) -> Iterator[AudioBlock]:
        """The sound behind what was lost before it."""
        assert self._clock is not None
        start = self._clock.position
        losses = self._clock.take(sound)
        for loss in losses:
            if loss.cause != AWAY:  # the events of the source tell of that
                self._losses.add(loss, start)
            start += loss.samples
        *pieces, last = self._pieces(sum(loss.samples for loss in losses))
        yield from pieces
        channels = np.frombuffer(sound.data, np.float32).reshape(sound.frames, self._channels)
        events = tuple(self._losses.due(self._clock.position))
        yield replace(block_from_channels(channels, last.lost_samples), events=events)
        self._note_good_sound(sound.frames)

    def _pass_time(self) -> int:
        return 0 if self._clock is None else sum(loss.samples for loss in self._clock.pass_time(boot_clock_s()))

    def _untold(self) -> list[Event]:
        return [] if self._clock is None else self._losses.due(self._clock.position, everything=True)

    def _position_s(self) -> float:
        return 0.0 if self._clock is None else self._clock.position / self.sample_rate_hz
