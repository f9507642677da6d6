"""Frames out of bytes: whole, byte by byte, in bursts, damaged, hostile."""

from __future__ import annotations

import pickle
import random
import tracemalloc
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from itertools import chain
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.frame import (
    CRC,
    CRC_START,
    HEADER,
    MAX_PAYLOAD_BYTES,
    MAX_STUFFED_BYTES,
    Frame,
    FrameDecoder,
    encode_frame,
    maybe_unstuff,
    stuff,
)

U8, U16, U32 = st.integers(0, 2**8 - 1), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
ZEROS_AND_RUNS = st.lists(st.sampled_from([b"\0", b"\0\0\0", b"a" * 253, b"b" * 254, b"c" * 255, b"d"]), max_size=6)
CONTENT = st.binary(max_size=600) | ZEROS_AND_RUNS.map(b"".join)
PAYLOAD = CONTENT.map(lambda content: content[:MAX_PAYLOAD_BYTES])
FRAMES = st.builds(Frame, U8, U16, U32, U32, U8, U8, U16, PAYLOAD)


@pytest.fixture(scope="session")
def cobs() -> ModuleType:
    return pytest.importorskip("cobs.cobs", reason="the oracle of byte stuffing: pip install cobs")  # type: ignore[no-any-return]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def in_bursts(data: bytes) -> Iterator[bytes]:
    cuts = random.Random(len(data))
    at = 0
    while at < len(data):
        length = cuts.choice([0, 1, 2, 7, 64, 1500])
        yield data[at : at + length]
        at += length


WAYS = pytest.mark.parametrize("portions", [whole, byte_by_byte, in_bursts])
Portions = Callable[[bytes], Iterator[bytes]]


def fed(decoder: FrameDecoder, portions: Iterator[bytes]) -> list[Frame]:
    return list(chain.from_iterable(decoder.feed(portion) for portion in portions))


@WAYS
@given(frames=st.lists(FRAMES, max_size=5))
@settings(max_examples=40, deadline=None)
def test_frames_come_out_as_they_went_in(portions: Portions, frames: list[Frame]) -> None:
    decoder = FrameDecoder()
    assert fed(decoder, portions(b"".join(map(encode_frame, frames)))) == frames
    assert decoder.counters.frames == len(frames)


@given(CONTENT)
def test_stuffing_agrees_with_another_implementation(cobs: ModuleType, content: bytes) -> None:
    assert stuff(content) == cobs.encode(content)
    assert maybe_unstuff(stuff(content)) == content


@given(st.binary(max_size=300).map(lambda stuffed: stuffed.replace(b"\0", b"")))
def test_unstuffing_agrees_with_another_implementation_on_any_bytes(cobs: ModuleType, stuffed: bytes) -> None:
    try:
        theirs = cobs.decode(stuffed) if stuffed else None
    except cobs.DecodeError:
        theirs = None
    assert maybe_unstuff(stuffed) == theirs


def frame(number: int) -> Frame:
    """A frame of sound, all different, some with many zeros."""
    payload = random.Random(number).randbytes(64) + bytes(8 * (number % 5))
    return Frame(1, number, 36 * number, 1000 * number, 1, 0, len(payload) // 2, payload)


def flipped(wire: bytearray, at: int) -> None:
    wire[at] ^= 1 << at % 8


def dropped(wire: bytearray, at: int) -> None:
    del wire[at]


def inserted(wire: bytearray, at: int) -> None:
    wire.insert(at, at % 256)


def doubled(wire: bytearray, at: int) -> None:
    wire.insert(at, wire[at])


def zeroed(wire: bytearray, at: int) -> None:
    wire[at] = 0


DAMAGE = pytest.mark.parametrize("damage", [flipped, dropped, inserted, doubled, zeroed])


@WAYS
@DAMAGE
def test_damage_anywhere_costs_the_frame_that_it_hits_and_at_most_its_neighbour(
    damage: Callable[[bytearray, int], None], portions: Portions
) -> None:
    frames = [frame(number) for number in range(3)]
    wires = [encode_frame(each) for each in frames]
    for at in range(len(wires[1])):
        wire = bytearray(wires[1])
        damage(wire, at)
        heard = fed(FrameDecoder(), portions(wires[0] + bytes(wire) + wires[2]))
        # Where the delimiter itself is hit, what follows hangs on to it.
        assert frames[0] in heard
        assert frames[2] in heard or at == len(wires[1]) - 1
        assert [each for each in heard if each in frames] == heard, "nothing is heard that was not sent"


@DAMAGE
@given(frames=st.lists(FRAMES, min_size=1, max_size=4), places=st.lists(U16, min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_after_any_damage_the_second_next_frame_is_heard(
    damage: Callable[[bytearray, int], None], frames: list[Frame], places: list[int]
) -> None:
    wire = bytearray(b"".join(map(encode_frame, frames)))
    for place in places:
        damage(wire, place % len(wire))
    last = frame(9)
    assert FrameDecoder().feed(bytes(wire) + encode_frame(frame(8)) + encode_frame(last))[-1] == last


@given(st.lists(st.binary(max_size=3000), max_size=10))
@settings(deadline=None)
def test_no_bytes_raise_and_no_more_than_a_frame_is_held(portions: list[bytes]) -> None:
    decoder = FrameDecoder()
    for portion in portions:
        decoder.feed(portion)
        assert len(pickle.dumps(decoder)) < MAX_STUFFED_BYTES + 1000
    assert decoder.counters.bytes == sum(map(len, portions))
    assert decoder.feed(b"\0" + encode_frame(frame(1))) == [frame(1)]


@pytest.mark.parametrize("byte", [b"\0", b"\x01", b"\x02", b"\xff"])
def test_megabytes_of_one_byte_take_no_memory_and_leave_the_next_frame_whole(byte: bytes) -> None:
    decoder, hostile = FrameDecoder(), byte * 10_000_000
    tracemalloc.start()
    try:
        assert decoder.feed(hostile) == []
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20
    assert decoder.feed(b"\0" + encode_frame(frame(1))) == [frame(1)]
    assert decoder.counters.oversize == (byte != b"\0")


def wire_of_body(body: bytes) -> bytes:
    """Any body with a CRC that holds."""
    return stuff(body + CRC.pack(crc_hqx(body, CRC_START))) + b"\0"


@pytest.mark.parametrize(
    ("body", "counter"),
    [
        pytest.param(HEADER.pack(0xA2, 1, 0, 0, 0, 0, 0, 0), "foreign_versions", id="another major version"),
        pytest.param(HEADER.pack(0x51, 1, 0, 0, 0, 0, 0, 0), "foreign_versions", id="another protocol"),
        pytest.param(HEADER.pack(0xA1, 1, 0, 0, 0, 0, 0, 0)[:-1], "short", id="half a header"),
        pytest.param(b"", "short", id="nothing but a CRC"),
        pytest.param(HEADER.pack(0xA1, 1, 0, 0, 0, 0, 0, 0) + b"\1" * 1025, "oversize", id="a byte too many"),
        pytest.param(HEADER.pack(0xA1, 1, 0, 0, 0, 0, 0, 0) + b"\1" * 4000, "oversize", id="a long one"),
    ],
)
def test_a_body_that_cannot_be_a_frame_is_dropped_and_counted(body: bytes, counter: str) -> None:
    decoder = FrameDecoder()
    assert decoder.feed(wire_of_body(body) + encode_frame(frame(1))) == [frame(1)]
    assert getattr(decoder.counters, counter) == 1


def test_the_version_that_was_heard_is_remembered() -> None:
    decoder = FrameDecoder()
    decoder.feed(wire_of_body(HEADER.pack(0xA7, 1, 0, 0, 0, 0, 0, 0)))
    assert decoder.counters.last_foreign_version == 0xA7


def test_a_forged_count_is_handed_on_as_it_stands() -> None:
    forged = Frame(1, count=65535, payload=b"\1\2")
    assert FrameDecoder().feed(encode_frame(forged)) == [forged]


def test_a_reset_drops_the_half_frame_of_the_stream_before() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame(frame(1))[:20])
    decoder.reset()
    assert decoder.feed(encode_frame(frame(2))) == [frame(2)]
    assert decoder.counters.frames == 1


@pytest.mark.parametrize("broken", [Frame(256), Frame(1, seq=65536), Frame(1, payload=b"x" * 1025), Frame(-1)])
def test_a_frame_that_does_not_fit_is_not_written(broken: Frame) -> None:
    with pytest.raises(ValueError, match=r"does not fit|a frame holds 1024"):
        encode_frame(broken)
