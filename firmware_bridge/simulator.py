"""A device that follows PROTOCOL.md and plays a recording, without hardware. No I/O: bytes in, frames out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.codecs import payload_bytes, payload_from_samples
from firmware_bridge.frame import MAJOR_VERSION, MAX_PAYLOAD_BYTES, Frame, FrameDecoder, encode_frame
from firmware_bridge.impairments import Parcel, cut_short
from firmware_bridge.messages import (
    AudioFlag,
    Codec,
    DeviceState,
    Info,
    Message,
    MessageType,
    Start,
    Status,
    WindowResult,
    frame_from_message,
    maybe_message,
)

Float32 = NDArray[np.float32]

STATUS_S = 1.0
INFO_S = 5.0
IDLE_INFO_S = 1.0
ALONE_S = 10.0
"""Without a PING for so long a device stops (PROTOCOL.md, section 7)."""
BOOT_S = 0.8
"""Between losing power and the first byte."""
BANNER = b"boot ok\r\n"
PERCENT_S = 300.0
"""Its battery lasts eight hours."""


@dataclass(frozen=True)
class Settings:
    """What kind of device it is."""

    sample_rate_hz: int
    """That it declares."""
    codec: Codec = Codec.PCM16
    frame_samples: int = 64
    ppm: float = 0.0
    """How much faster its crystal is than it declares."""
    restart_s: float = 0.0
    """It loses power once in so long; 0: never."""
    loops: bool = False
    announces: bool = False
    """It says INFO while it is idle, too: a host at the other end of datagrams does not know where it is."""
    alone_s: float = ALONE_S
    """It stops where it hears no PING for so long."""


@dataclass(frozen=True)
class Heard:
    """A RESULT of the host, for the device's lamp or display."""

    end_s: float
    """Where its window ended, since START."""
    result: WindowResult


class SimulatedDevice:
    """Plays float32 [n, channels]. Times are those of the caller's clock."""

    def __init__(self, samples: Float32, settings: Settings, random: Random, now_s: float) -> None:
        self.results: list[Heard] = []
        """What the host sent back."""
        self.unsent_frames = 0
        """What its port did not take; whoever drives the device counts them, and STATUS tells."""
        self.restarts = 0
        self.cut_frames = 0
        """In the midst of which it lost power."""
        self._samples, self._settings, self._random = samples, settings, random
        self._first_s = now_s
        self._decoder = FrameDecoder()
        self._queue: list[Frame] = []
        self._seq = 0
        self._played = 0
        self._info = self._new_info()
        self._start_s: float | None = None
        self._boot(now_s)

    @property
    def is_over(self) -> bool:
        """The recording was played to its end."""
        return not self._settings.loops and self._played >= len(self._samples)

    @property
    def is_streaming(self) -> bool:
        """Somebody asked for sound."""
        return self._start_s is not None

    def take(self, data: bytes, now_s: float) -> None:
        """Hear the host."""
        for frame in self._decoder.feed(data):
            if frame.type == MessageType.HELLO:
                self._say(self._info)
            elif frame.type == MessageType.START:
                self._start(maybe_message(frame), now_s)
            elif frame.type == MessageType.STOP:
                self._start_s = None
            elif frame.type == MessageType.PING:
                self._pinged_s = now_s
                self._queue.append(replace(frame, type=MessageType.PONG, sample_index=0))
            elif frame.type == MessageType.RESULT and isinstance(result := maybe_message(frame), WindowResult):
                self.results.append(Heard(frame.sample_index / self._settings.sample_rate_hz, result))
        if self._decoder.counters.foreign_versions:
            self._decoder.counters.foreign_versions = 0
            self._say(self._info)

    def due(self, now_s: float) -> list[Parcel]:
        """What the device has sent by `now_s` since it was asked last."""
        if self._settings.restart_s and now_s >= self._booted_s + self._settings.restart_s:
            return self._restart(now_s)
        if now_s < self._booted_s:
            return []
        if self._start_s is not None and now_s - self._pinged_s >= self._settings.alone_s:
            self._start_s = None
        self._report(now_s)
        frames, self._queue = self._queue, []
        sent = [self._parcel(frame, now_s) for frame in frames]
        while self._start_s is not None and not self.is_over:
            end_s = self._time_of(self._index + self._frame_length())
            if end_s > now_s:
                break
            sent.append(self._parcel(self._sound(), end_s))
        return sent

    def _boot(self, now_s: float) -> None:
        self._booted_s = now_s
        self._start_s = None
        self._index = 0
        self._pinged_s = self._said_status_s = self._said_info_s = now_s
        self._codec = self._settings.codec
        self._info = self._new_info()
        self._say(self._info)

    def _new_info(self) -> Info:
        return Info(
            boot_id=self._random.getrandbits(32),
            rate_numerator_hz=self._settings.sample_rate_hz,
            channels=self._samples.shape[1],
            model="simulated stethoscope",
            firmware=f"respire-edge simulator, protocol {MAJOR_VERSION}",
            codecs=bytes(dict.fromkeys([self._settings.codec, Codec.PCM16])),
        )

    def _restart(self, now_s: float) -> list[Parcel]:
        """Power fails in the midst of a frame; a boot loader says its line before the device is itself again."""
        self.restarts += 1
        cut: list[Parcel] = []
        if self._start_s is not None and not self.is_over:
            parcel = self._parcel(self._sound(), now_s)
            cut = [replace(parcel, data=cut_short(parcel.data, self._random) + BANNER + b"\0")]
            self.cut_frames += 1
        self._queue = []
        self._boot(now_s + BOOT_S)
        return cut

    def _start(self, message: Message | None, now_s: float) -> None:
        asked = message.codec if isinstance(message, Start) else Codec.PCM16
        self._codec = Codec(asked) if asked in self._info.codecs else self._settings.codec
        self._start_s, self._index = now_s, 0
        self._pinged_s = self._said_status_s = self._said_info_s = now_s

    def _report(self, now_s: float) -> None:
        if self.is_streaming and now_s - self._said_status_s >= STATUS_S:
            self._said_status_s = now_s
            self._say(self._status(now_s))
        if now_s - self._said_info_s >= self._info_interval_s:
            self._said_info_s = now_s
            self._say(self._info)

    @property
    def _info_interval_s(self) -> float:
        idle_s = IDLE_INFO_S if self._settings.announces else math.inf
        return INFO_S if self.is_streaming else idle_s

    def _status(self, now_s: float) -> Status:
        used_percent = int((now_s - self._first_s) / PERCENT_S)
        return Status(
            battery_percent=max(100 - used_percent, 1),
            overruns=0,
            buffer_percent=0,
            unsent_frames=self.unsent_frames,
            state=DeviceState.STREAMING,
        )

    def _say(self, message: Message) -> None:
        self._queue.append(frame_from_message(message))

    def _frame_length(self) -> int:
        """How many samples the next frame holds."""
        length = min(self._settings.frame_samples, longest_frame(self._codec, self._samples.shape[1]))
        return length if self._settings.loops else min(length, len(self._samples) - self._played)

    def _sound(self) -> Frame:
        count = self._frame_length()
        samples = self._samples.take(range(self._played, self._played + count), axis=0, mode="wrap")
        self._played += count
        index, self._index = self._index, self._index + count
        flags = AudioFlag.CLIPPED if np.abs(samples).max(initial=0) >= 1 else 0
        flags |= AudioFlag.LAST if self.is_over else 0
        payload = payload_from_samples(self._codec, samples)
        return Frame(MessageType.AUDIO, 0, index % (1 << 32), 0, self._codec, flags, count, payload)

    def _parcel(self, frame: Frame, time_s: float) -> Parcel:
        self._seq = (self._seq + 1) % (1 << 16)
        t_us = round((time_s - self._booted_s) * 1e6 * (1 + self._settings.ppm * 1e-6)) % (1 << 32)
        return Parcel(time_s, encode_frame(replace(frame, seq=self._seq, t_us=t_us)))

    def _time_of(self, index: int) -> float:
        assert self._start_s is not None
        true_rate_hz = self._settings.sample_rate_hz * (1 + self._settings.ppm * 1e-6)
        return self._start_s + index / true_rate_hz


def longest_frame(codec: Codec, channels: int) -> int:
    """How many samples of each channel fit one frame."""
    counts = range(2 * MAX_PAYLOAD_BYTES, 0, -1)
    return next(count for count in counts if payload_bytes(codec, count, channels) <= MAX_PAYLOAD_BYTES)
