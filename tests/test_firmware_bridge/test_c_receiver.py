"""What the C header reads from the host, held against what the Python side sends and what that makes of damage."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.frame import CRC, HEADER, MAX_BODY_BYTES, Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import Hello, MessageType, Start, WindowResult, frame_from_message
from tools.c_device import WHOLE, CDevice, wire_of_body
from tools.measure_c_header import UNLIKE

PROTOCOL = (Path(__file__).parents[2] / "firmware_bridge" / "PROTOCOL.md").read_text(encoding="utf-8")
WIRES = re.findall(r"^\| ([^|]+) \| (\w\w) \| (\d+) \| (\d+) .* ([0-9a-f]{36,}00) \|$", PROTOCOL, re.M)
DROPPED = re.findall(r"^\| ([^|]+) \| ([0-9a-f]+00) \| (CRC|version|length|COBS) \|$", PROTOCOL, re.M)


@pytest.fixture(params=UNLIKE, ids=str)
def device(request: pytest.FixtureRequest) -> CDevice:
    if not request.param.is_here:
        pytest.skip(f"{request.param.command[0]} is not on this machine")
    return CDevice(request.param)


def receive(*frames: Frame) -> str:
    return f"receive {b''.join(map(encode_frame, frames)).hex()}"


def fields(frames: list[Frame]) -> list[tuple[int, int, int, bytes]]:
    return [(frame.type, frame.seq, frame.sample_index, frame.payload) for frame in frames]


def test_the_pages_vectors_are_read(device: CDevice) -> None:
    said = device.obey(WHOLE, *(f"receive {wire}" for *_, wire in WIRES))
    assert len(WIRES) >= 14
    assert [each[:3] for each in said.heard] == [(int(kind, 16), int(seq), int(at)) for _, kind, seq, at, _ in WIRES]


def test_the_longest_frame_is_read(device: CDevice) -> None:
    longest = Frame(0x42, 0x4242, 0x42424242, 0x42424242, 0x42, 0x42, 0x4242, b"\x42" * 1024)
    assert device.obey(WHOLE, receive(longest)).heard == fields([longest])


@pytest.mark.parametrize(("what", "wire", "because"), DROPPED, ids=[row[0] for row in DROPPED])
def test_what_the_page_says_is_dropped_is_dropped(device: CDevice, what: str, wire: str, because: str) -> None:
    said = device.obey(WHOLE, f"receive {wire}", "show")
    foreign = int(because == "version")
    assert said.heard == []
    assert said.counted[-1].items() >= {"received": 0, "damaged": 1 - foreign, "foreign": foreign}.items()


def test_random_messages_are_understood(device: CDevice) -> None:
    drawn = random.Random(2)
    sent = [drawn_message(drawn) for _ in range(300)]
    frames = [frame_from_message(each, seq=drawn.getrandbits(16), sample_index=drawn.getrandbits(32)) for each in sent]
    said = device.obey(WHOLE, *map(receive, frames))
    assert said.heard == fields(frames)
    meant = [line for line in said.lines if not line.startswith("frame")]
    assert meant == [meaning(each, frame) for each, frame in zip(sent, frames, strict=True)]


def drawn_message(drawn: random.Random) -> Hello | Start | WindowResult:
    kind = drawn.choice([Hello, Start, WindowResult])
    if kind is Hello:
        return Hello(drawn.getrandbits(8), "x" * drawn.choice([1, 12, 250]))
    if kind is Start:
        return Start(drawn.getrandbits(8))
    label = drawn.choice([0, 1, 2, 3, 255])
    return WindowResult(drawn.getrandbits(32), label, drawn.randrange(101), drawn.getrandbits(4))


def meaning(message: Hello | Start | WindowResult, frame: Frame) -> str:
    if isinstance(message, Hello):
        return f"hello {message.minor_version} host {message.host.encode().hex()}"
    if isinstance(message, Start):
        return f"start {message.codec}"
    words = (frame.sample_index, message.window_ms, message.label, message.confidence_percent, message.flags)
    return f"result {' '.join(map(str, words))}"


def test_tags_are_read_as_the_page_says(device: CDevice) -> None:
    codecs = {
        "0101020101033a02aabb": "3",  # the last one counts; an unknown tag is skipped
        "010201040101": "1",  # one of another length, then one that the payload cuts off
        "0101040101": "4",
        "": "1",
        "01": "1",
    }
    frames = [Frame(MessageType.START, payload=bytes.fromhex(payload)) for payload in codecs]
    assert device.obey(WHOLE, receive(*frames)).after("start") == list(codecs.values())


def test_a_result_may_be_longer_in_a_later_version_and_never_shorter(device: CDevice) -> None:
    payload = bytes([0x58, 0x1B, 0, 0, 2, 81, 0, 0, 99])
    frames = [Frame(MessageType.RESULT, sample_index=7, payload=payload[:length]) for length in (7, 8, 9)]
    assert device.obey(WHOLE, receive(*frames)).after("result") == ["7 7000 2 81 0"] * 2


@pytest.mark.parametrize("seed", [3, 4])
def test_damaged_bytes_are_judged_as_the_python_side_judges_them(device: CDevice, seed: int) -> None:
    drawn = random.Random(seed)
    stream = bytes(damaged(drawn, b"".join(drawn_piece(drawn) for _ in range(1000))))
    decoder = FrameDecoder()
    frames, counters = decoder.feed(stream), decoder.counters
    dropped = counters.cobs_errors + counters.short + counters.oversize + counters.crc_errors
    assert min(len(frames), dropped, 10 * counters.foreign_versions) > 200
    said = device.obey(
        WHOLE, *(f"receive {stream[at : at + 4000].hex()}" for at in range(0, len(stream), 4000)), "show"
    )
    assert said.heard == fields(frames)
    expected = {"received": len(frames), "damaged": dropped, "foreign": counters.foreign_versions}
    assert said.counted[-1].items() >= expected.items()


def drawn_piece(drawn: random.Random) -> bytes:
    """Mostly a frame as it should be; some of another version, too short, too long, or of no meaning."""
    payload = drawn.randbytes(drawn.choice([0, 8, 17, 300, 1024]))
    frame = encode_frame(Frame(drawn.getrandbits(8), drawn.getrandbits(16), drawn.getrandbits(32), payload=payload))
    foreign = wire_of_body(bytes([0xA2]) + bytes(15) + payload[:20])
    noise = bytes(drawn.randrange(1, 256) for _ in range(drawn.choice([1, 5, 30]))) + b"\0"
    wrong = [foreign, wire_of_body(b"\xa1" * drawn.randrange(16)), b"\1" * 1100 + b"\0", noise, b"\0\0"]
    return drawn.choice([frame] * 8 + wrong)


def damaged(drawn: random.Random, stream: bytes) -> Iterator[int]:
    """Bytes changed, repeated and dropped, five in ten thousand of each."""
    for byte in stream:
        fate = drawn.random()
        if fate < 0.0005:
            yield drawn.randrange(256)
        elif fate < 0.001:
            yield from (byte, byte)
        elif fate > 0.0015:
            yield byte


@pytest.mark.parametrize("in_bytes", [0, 17, 18, 26, 64, 1042])
def test_a_host_that_never_ends_a_frame_fills_no_memory_and_the_next_one_is_heard(
    device: CDevice, in_bytes: int
) -> None:
    endless = ["ff" * 4000] * 30 + ["01" * 4000] * 30 + ["02" * 4000] * 30 + [("ff" + "07" * 254) * 16] * 30
    sent = receive(Frame(MessageType.STOP), Frame(MessageType.PING, payload=bytes(8)))
    said = device.obey(
        f"memory 300 {in_bytes} write", *(f"receive {piece}" for piece in endless), "receive 00", "show", sent
    )
    assert [frame[0] for frame in said.heard] == [0x83] * (in_bytes >= 18) + [0x86] * (in_bytes >= 26)
    assert said.counted[0].items() >= {"received": 0, "damaged": 1}.items()


def test_a_forged_count_does_not_reach_beyond_the_payload(device: CDevice) -> None:
    said = device.obey("memory 300 26 write", receive(Frame(MessageType.RESULT, count=65535, payload=bytes(8))))
    assert [frame[-1] for frame in said.heard] == [bytes(8)]


def test_a_body_longer_than_the_links_is_dropped_though_its_crc_is_right(device: CDevice) -> None:
    body = HEADER.pack(0xA1, MessageType.RESULT, 0, 0, 0, 0, 0, 1025) + bytes(1025)
    assert len(body) + CRC.size == MAX_BODY_BYTES + 1
    said = device.obey("memory 300 3000 write", f"receive {wire_of_body(body).hex()}", "show")
    assert said.counted[-1].items() >= {"received": 0, "damaged": 1}.items()
