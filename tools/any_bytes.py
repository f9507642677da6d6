"""Bytes of any kind from a device, and what must hold all the same.

`play` takes bytes either as what arrives, or as orders for frames that are whole, so that what lies behind the CRC is
reached, too. Hypothesis and the fuzzer (tools/fuzz_bridge.py) think of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from firmware_bridge.acceptance import MAX_RATE_HZ
from firmware_bridge.errors import BridgeError, TransportError
from firmware_bridge.frame import Frame, encode_frame
from firmware_bridge.link import Link
from firmware_bridge.messages import Codec, Info, frame_from_message
from firmware_bridge.session import Phase
from firmware_bridge.timeline import MAX_LEAP_S, Chunk
from firmware_bridge.transports.transport import Transport

PAGE = Path(__file__).resolve().parent.parent / "firmware_bridge" / "PROTOCOL.md"
VECTOR = re.compile(r"\| ((?:[0-9a-f]{2}){18,}00) \|$", re.MULTILINE)
ORDER = struct.Struct("<BBHIHBBB")
"""Type, seq, sample number, clock, count, codec, flags, and how many bytes of payload follow."""
TICKS_S = (0.0, 0.001, 0.02, 0.2, 1.0, 3.0)
RATE_HZ = 8000
MAX_FRAME_S = 2048 / 4000
"""Of the densest codec at the lowest rate."""


class Fed(Transport):
    """Bytes that are there, a piece at a time, and a clock that goes on with each."""

    name = "fed:"

    def __init__(self, pieces: Iterator[tuple[bytes, float]]) -> None:
        self.now_s = 0.0
        self.is_over = False
        self._pieces = pieces

    def read(self, timeout_s: float) -> bytes:
        data, tick_s = next(self._pieces, (None, 0.0))
        self.now_s += min(max(tick_s, 1e-4), timeout_s) if data == b"" else max(tick_s, 1e-4)
        if data is None:
            self.is_over = True
            raise TransportError("fed:: over")
        return data

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing is held."""


def play(data: bytes, *, reorder_frames: int = 1) -> int:
    """Let a link take it; how many samples it made of it. Raises AssertionError where something does not hold."""
    fed = Fed(pieces_of(data))
    link = Link(fed.name, lambda: fed, lambda: fed.now_s, reorder_frames)
    end = samples = 0
    while not fed.is_over:
        try:
            if link.phase in (Phase.CLOSED, Phase.REFUSED):
                link.open()
            news = link.read(0.2)
        except BridgeError as error:
            message, news = str(error), link.pass_time()
            assert "\n" not in message
        for chunk in (each for each in news if isinstance(each, Chunk)):
            assert chunk.start_sample == end + chunk.lost_before, "the stream has no seams"
            assert 0 <= chunk.bridged <= len(chunk.samples)
            assert np.abs(chunk.samples).max(initial=0) <= 1.0, "sound is finite and within full scale"
            end = chunk.end_sample
            samples += len(chunk.samples)
        assert link.position == end
        longest_s = fed.now_s + (MAX_LEAP_S + MAX_FRAME_S) * link.frame_counters.frames
        assert end <= longest_s * MAX_RATE_HZ, "no number can make hours of nothing"
    counters = link.timeline_counters
    assert counters.lost_samples + samples == end
    link.close()
    return samples


def pieces_of(data: bytes) -> Iterator[tuple[bytes, float]]:
    """What the fuzzer's bytes stand for: the first says whether they are the wire's, or orders."""
    kind, rest = data[:1], data[1:]
    if kind and kind[0] % 2:
        yield from frames_ordered(rest)
        return
    while rest:
        length = 1 + rest[0] * 4
        yield rest[1:length], TICKS_S[rest[0] % len(TICKS_S)]
        rest = rest[length:]


def frames_ordered(orders: bytes) -> Iterator[tuple[bytes, float]]:
    """A device that said what it is, and then does as the fuzzer says."""
    codecs = bytes([Codec(1 + len(orders) % 4)])
    yield encode_frame(frame_from_message(Info(boot_id=1, rate_numerator_hz=RATE_HZ, codecs=codecs))), 0.0
    while len(orders) >= ORDER.size:
        kind, seq, index, t_us, count, codec, flags, length = ORDER.unpack_from(orders)
        payload = orders[ORDER.size : ORDER.size + length]
        orders = orders[ORDER.size + length :]
        if kind & 0x40:  # sound that is what it says
            kind, codec, count = 1, codecs[0], len(payload) // 2
            payload = payload[: 2 * count] if codec == Codec.PCM16 else payload
            count = len(payload) if codec == Codec.MULAW else count
        index = (index << (16 if flags & 0x40 else 0)) % 2**32
        kind = kind & 0x0F or kind
        frame = Frame(kind, seq, index, t_us * 1000 % 2**32, codec, flags & 0x0F, count, payload)
        yield encode_frame(frame), TICKS_S[flags >> 4 & 3]


def seeds() -> list[bytes]:
    """The page's frames, as they come over the wire and all in a row."""
    frames = [bytes.fromhex(each) for each in VECTOR.findall(PAGE.read_text(encoding="utf-8"))]
    together = b"".join(frames)
    cut = b"".join(bytes([60]) + together[at : at + 240] for at in range(0, len(together), 240))
    whole = [b"\0" + bytes([len(each) // 4 + 1]) + each for each in frames if len(each) < 1000]
    orders = b"".join(ORDER.pack(0x41, number, 20 * number, 0, 20, 1, 0, 40) + bytes(range(40)) for number in range(20))
    return [*whole, b"\0" + cut, b"\1" + orders]
