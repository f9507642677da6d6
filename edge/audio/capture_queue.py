"""What PortAudio's callback hands over: bounded, and it knows how much did not fit."""

from __future__ import annotations

import queue
from contextlib import suppress
from dataclasses import replace

from edge.audio.capture_messages import Sound


class CaptureQueue:
    """Between the callback, which must never wait, and whoever passes the sound on."""

    def __init__(self, max_blocks: int) -> None:
        self._queue: queue.Queue[Sound | None] = queue.Queue(max_blocks)
        self._dropped_frames = 0

    def put(self, sound: Sound) -> None:
        """Add a block, or count it as dropped before the next one. Never waits."""
        try:
            self._queue.put_nowait(replace(sound, dropped_frames=self._dropped_frames))
        except queue.Full:
            self._dropped_frames += sound.frames
        else:
            self._dropped_frames = 0

    def end(self) -> None:
        """Say that nothing more will come. Never waits; whoever listens to a full queue notices the silence instead."""
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def get(self) -> Sound | None:
        """The oldest block, once there is one; None at the end."""
        return self._queue.get()
