"""One attempt at an input: its sound as it comes, until it fails or falls silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.audio.capture_messages import Failed, Opened, Sound
from edge.audio.capture_process import CaptureProcess, no_answer
from edge.audio.live_source import TICK_S, SourceFailed
from edge.errors import AudioDeviceError


@dataclass(frozen=True)
class Limits:
    """How long an input may take before it counts as failed."""

    open_s: float
    first_sound_s: float
    """From then on."""
    stall_s: float
    """From one block to the next."""


class Capture:
    """An input that is being opened, or open."""

    def __init__(self, selector: str, sample_rate_hz: int | None, queue_s: float) -> None:
        """Begin to open it, at its own rate where none is given. Raises SourceFailed."""
        self.maybe_opened: Opened | None = None
        """What was opened; known with the first sound."""
        try:
            self._process = CaptureProcess("capture", selector=selector, sample_rate_hz=sample_rate_hz, queue_s=queue_s)
        except AudioDeviceError as error:
            raise SourceFailed(str(error), 0.0) from error

    def sounds(self, limits: Limits) -> Iterator[Sound | None]:
        """Each block as it comes, and None whenever nothing came for `TICK_S`. Raises SourceFailed."""
        idle_s, limit_s = 0.0, limits.open_s
        while True:
            message = self._process.receive(TICK_S)
            if isinstance(message, Failed):
                raise SourceFailed(message.reason, idle_s)
            if isinstance(message, Opened):
                self.maybe_opened = message
                idle_s, limit_s = 0.0, limits.first_sound_s
            elif isinstance(message, Sound):
                idle_s, limit_s = 0.0, limits.stall_s
                yield message
            else:
                # Counted, not timed: while this process was paused, nobody can say that nothing came.
                idle_s += TICK_S
                yield None
            if idle_s >= limit_s:
                raise SourceFailed(self._silence(idle_s), idle_s)

    def close(self) -> None:
        """End it within a moment, whatever state it is in. May be called twice."""
        self._process.close()

    def _silence(self, idle_s: float) -> str:
        if self.maybe_opened is None:
            return no_answer(idle_s)
        return f"mic:{self.maybe_opened.name}: no sound for {idle_s:.1f} s; check the cable"
