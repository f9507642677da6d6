"""Unframed PCM as if a device of the protocol sent it, so that everything that takes a device takes it too.

Nothing in such a stream tells whether a byte is missing. Of samples of several bytes it shows where in them the sound
changes least from sample to sample: that is the most significant byte. Where another byte than declared changes
`EVIDENT` times less, bytes were lost, and samples are cut anew from there on. Measured on 1724 pieces of 1024 16-bit
samples of the ICBHI and SPRSound recordings: none that lay right was cut anew, and 1722 that lay wrong by a byte were.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_bridge.codecs import payload_from_samples
from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import AudioFlag, Codec, Info, Log, Message, MessageType, frame_from_message
from firmware_bridge.raw_format import Float32, RawFormat, samples_from_bytes
from firmware_bridge.transports.transport import Transport

FRAME_SAMPLES = 256
EVIDENT = 4.0
PHASE_SAMPLES = 1024
"""Over which the byte phase is measured: a quarter of a second at 4 kHz."""
WARNING = 4
"""RFC 5424."""
UNNOTICED = "unframed PCM: nothing tells where a byte is lost; let the firmware frame its sound (PROTOCOL.md)"
REALIGNED = "unframed PCM: bytes were lost, samples are cut anew"


class RawPcmTransport(Transport):
    """Speaks as a device does, over a transport that carries nothing but samples."""

    def __init__(self, transport: Transport, written: RawFormat, boot_id: int, *, warns: bool = True) -> None:
        """`warns`: say once, as a LOG, what cannot be noticed."""
        self.name = transport.name
        self._transport = transport
        self._written = written
        self._codec = Codec.PCM16 if written.width_bytes <= 2 else Codec.PCM24
        self._boot_id = boot_id
        self._warns = warns
        self._host = FrameDecoder()
        self._unread = bytearray()
        self._seq = 0
        self._streams = self._has_heard = False
        self._held = b""
        self._measured = b""
        self._index = 0
        self._flags = 0

    def read(self, timeout_s: float) -> bytes:
        data = self._transport.read(0.0 if self._unread else timeout_s)
        if data:
            self._has_heard = True
            if self._streams:
                self._take(data)
        frames, self._unread = bytes(self._unread), bytearray()
        return frames

    def write(self, data: bytes) -> None:
        """What the host says is answered here; a sender of bare samples would not understand it."""
        for frame in self._host.feed(data):
            if frame.type == MessageType.HELLO:
                self._say(self._info())
            elif frame.type == MessageType.START:
                self._start()
            elif frame.type == MessageType.STOP:
                self._streams = False
            elif frame.type == MessageType.PING and self._has_heard:
                # Silence of the sender has to show as that of a device does.
                self._has_heard = False
                self._say_frame(replace(frame, type=MessageType.PONG, t_us=0))

    def close(self) -> None:
        self._transport.close()

    def _info(self) -> Info:
        written = self._written
        bits = min(8 * written.width_bytes, 24)
        return Info(self._boot_id, written.rate_hz, bits=bits, model="unframed PCM", codecs=bytes([self._codec]))

    def _start(self) -> None:
        self._streams, self._index, self._held, self._measured = True, 0, b"", b""
        if self._warns:
            self._warns = False
            self._say(Log(WARNING, UNNOTICED))

    def _take(self, data: bytes) -> None:
        data = self._held + data
        if len(data) > self._written.width_bytes:
            data = data[self._evident_shift() :]
        whole = len(data) - len(data) % self._written.frame_bytes
        self._held = data[whole:]
        self._measured += data[:whole]
        samples = samples_from_bytes(data[:whole], self._written)
        for start in range(0, len(samples), FRAME_SAMPLES):
            self._say_sound(samples[start : start + FRAME_SAMPLES])

    def _evident_shift(self) -> int:
        """How many bytes are to be dropped, by what was handed on since this was measured last."""
        needed = PHASE_SAMPLES * self._written.frame_bytes
        if len(self._measured) < needed:
            return 0
        shift = evident_shift(self._measured[-needed:], self._written)
        self._measured = b""
        if shift:
            self._flags = AudioFlag.OVERRUN_BEFORE
            self._say(Log(WARNING, REALIGNED))
        return shift

    def _say_sound(self, samples: Float32) -> None:
        payload, count = payload_from_samples(self._codec, samples[:, np.newaxis]), len(samples)
        self._say_frame(Frame(MessageType.AUDIO, 0, self._index, 0, self._codec, self._flags, count, payload))
        self._index = (self._index + count) % (1 << 32)
        self._flags = 0

    def _say(self, message: Message) -> None:
        self._say_frame(frame_from_message(message))

    def _say_frame(self, frame: Frame) -> None:
        self._seq = (self._seq + 1) % (1 << 16)
        self._unread += encode_frame(replace(frame, seq=self._seq))


def evident_shift(data: bytes, written: RawFormat) -> int:
    """By how many bytes whole frames begin too early, where that is evident; else 0.

    Of 8-bit samples it never is. A byte that stays as it is proves nothing: left-justified samples have such low bytes.
    """
    octets = np.frombuffer(data, np.uint8).reshape(-1, written.channels, written.width_bytes)
    changes = np.diff(octets, axis=0).view(np.int8).astype(np.int16)
    change = np.abs(changes).mean(axis=(0, 1))
    steadiest = int(change.argmin())
    if change[steadiest] == 0 or change[steadiest] * EVIDENT > change[written.high_byte]:
        return 0
    return (steadiest - written.high_byte) % written.width_bytes
