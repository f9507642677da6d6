"""A sound card's input through PortAudio, at the card's own rate.

PortAudio calls back on a thread of its own, which must never wait: it copies into a bounded queue and counts what does
not fit. Everything else happens where the blocks are consumed.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from typing import Protocol

from edge.audio.block import AudioBlock, Float32, block_from_channels
from edge.audio.inputs import AudioInput, choose_input, load_sounddevice
from edge.audio.recording import MAX_SAMPLE_RATE_HZ, MIN_SAMPLE_RATE_HZ
from edge.audio.source import AudioSource
from edge.errors import AudioDeviceError

BLOCK_S = 0.1
"""A live view moves ten times a second."""
QUEUE_S = 10.0
"""How far the consumer may fall behind before sound is lost: longer than a window."""
STALL_S = 3.0
"""Callbacks may just stop when a card is unplugged; a sound server may pause them for a second."""
START_S = 10.0
"""How long the first sound may take; a sound server may have to wake its card, on a busy machine."""
CLOSE_S = 2.0
"""How long closing may take; a frozen sound server never answers."""
OTHER_RATES_HZ = (48000, 44100, 32000, 16000, 8000)
"""Tried in turn where a card's own rate lies outside what the features are specified for."""


class CallbackTime(Protocol):
    """When PortAudio captured a block, as sounddevice passes it on."""

    @property
    def inputBufferAdcTime(self) -> float:
        """Seconds, of the block's first sample."""


class CallbackStatus(Protocol):
    """What went wrong before a block, as sounddevice passes it on."""

    @property
    def input_overflow(self) -> bool:
        """Sound was lost because nobody fetched it in time."""


class CaptureQueue:
    """What the callback hands over: bounded, and it knows how much did not fit."""

    def __init__(self, max_blocks: int) -> None:
        self._queue: queue.Queue[tuple[Float32, int] | None] = queue.Queue(max_blocks)
        self._lost_samples = 0

    def put(self, channels: Float32, lost_samples: int) -> None:
        """Add float32 [frames, channels] that followed `lost_samples`, or count it as lost. Never waits."""
        self._lost_samples += lost_samples
        try:
            self._queue.put_nowait((channels, self._lost_samples))
        except queue.Full:
            self._lost_samples += len(channels)
        else:
            self._lost_samples = 0

    def end(self) -> None:
        """Say that nothing more will come. Never waits: where the queue is full, `get` finds out by its timeout."""
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def get(self, timeout_s: float) -> tuple[Float32, int] | None:
        """The oldest block and what was lost before it; None at the end, or if nothing comes for `timeout_s`."""
        # Twice: when the whole program was paused, the first wait is over before a callback has had its chance.
        for _ in range(2):
            with suppress(queue.Empty):
                return self._queue.get(timeout=timeout_s / 2)
        return None


class MicrophoneSource(AudioSource):
    """A live input. Capturing begins with `blocks`, so that a slow start-up loses nothing."""

    def __init__(self, name: str = "", *, queue_s: float = QUEUE_S, stall_s: float = STALL_S) -> None:
        """Open the input that `name` is part of, or the default one. Raises AudioDeviceError."""
        sounddevice = load_sounddevice()
        chosen = choose_input(name)
        self.name = f"mic:{chosen.name}"
        self.sample_rate_hz = _usable_rate_hz(sounddevice, chosen)
        self._stall_s = stall_s
        self._captured = CaptureQueue(max(1, round(queue_s / BLOCK_S)))
        self._next_block_s: float | None = None
        self._device_error: type[Exception] = sounddevice.PortAudioError
        try:
            self._stream = sounddevice.InputStream(
                device=chosen.index,
                samplerate=self.sample_rate_hz,
                channels=chosen.used_channels,
                dtype="float32",
                blocksize=round(BLOCK_S * self.sample_rate_hz),
                latency="high",
                callback=self._on_sound,
                finished_callback=self._captured.end,
            )
        except self._device_error as error:
            raise self._failure(f"cannot be opened ({error}); is another program using it?") from error

    def blocks(self) -> Iterator[AudioBlock]:
        try:
            self._stream.start()
        except self._device_error as error:
            raise self._failure(f"cannot be started ({error}); unplug it, plug it in and start again") from error
        captured = self._captured.get(START_S)
        while captured is not None:
            yield block_from_channels(*captured)
            captured = self._captured.get(self._stall_s)
        raise self._failure("no longer delivers sound; check the cable, then start again")

    def close(self) -> None:
        closing = threading.Thread(target=self._stream.close, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            # sounddevice closes PortAudio once more when Python ends, which would hang on the same dead device.
            atexit.unregister(getattr(load_sounddevice(), "_exit_handler", self.close))

    def _on_sound(self, channels: Float32, frames: int, time: CallbackTime, status: CallbackStatus) -> None:
        """PortAudio's callback."""
        lost_samples = 0
        if status.input_overflow and self._next_block_s is not None:
            # How much an overflow cost is only known from the clock; at least something is missing.
            late_s = time.inputBufferAdcTime - self._next_block_s
            lost_samples = max(1, round(late_s * self.sample_rate_hz))
        self._next_block_s = time.inputBufferAdcTime + frames / self.sample_rate_hz
        self._captured.put(channels.copy(), lost_samples)

    def _failure(self, what: str) -> AudioDeviceError:
        return AudioDeviceError(f"{self.name}: {what}")


def _usable_rate_hz(sounddevice: ModuleType, chosen: AudioInput) -> int:
    """The card's own rate, or, where it lies outside the features' range, the first other one that the card accepts."""
    if MIN_SAMPLE_RATE_HZ <= chosen.native_rate_hz <= MAX_SAMPLE_RATE_HZ:
        return chosen.native_rate_hz
    for rate_hz in OTHER_RATES_HZ:
        try:
            sounddevice.check_input_settings(chosen.index, chosen.used_channels, "float32", samplerate=rate_hz)
        except sounddevice.PortAudioError:
            continue
        return rate_hz
    raise AudioDeviceError(
        f"mic:{chosen.name}: runs at {chosen.native_rate_hz} Hz only; "
        f"use an input between {MIN_SAMPLE_RATE_HZ} and {MAX_SAMPLE_RATE_HZ} Hz"
    )
