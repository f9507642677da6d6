"""Captures: kept bit for bit, read to wherever they were cut off, and played as they were recorded."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.capture import (
    MAGIC,
    MAX_RECORD_BYTES,
    RECORD,
    CapturedTransport,
    CaptureWriter,
    Direction,
    Record,
    read_capture,
)
from firmware_bridge.errors import CaptureEnded, TransportError
from firmware_bridge.transports.replay import PlayedTime, Replay, ReplayTransport
from firmware_bridge.transports.transport import Transport

FROM, TO = Direction.FROM_DEVICE, Direction.TO_DEVICE
Piece = tuple[float, Direction, bytes]


def capture_of(*pieces: Piece) -> bytes:
    stream = io.BytesIO()
    writer = CaptureWriter(stream)
    for t_s, direction, data in pieces:
        writer.add(t_s, direction, data)
    return stream.getvalue()


def records_of(content: bytes) -> list[Record]:
    return list(read_capture("a.rbcap", io.BytesIO(content)))


def replay_of(tmp_path: Path, *pieces: Piece) -> tuple[Replay, PlayedTime]:
    path, time = tmp_path / "a.rbcap", PlayedTime()
    path.write_bytes(capture_of(*pieces))
    return Replay("a.rbcap", path, time.clock, time.sleep), time


def played(transport: ReplayTransport) -> bytes:
    data = b""
    while True:
        try:
            data += transport.read(0.2)
        except CaptureEnded:
            return data


def test_the_file_is_what_the_page_says() -> None:
    assert capture_of((5.0, TO, b"\x01\x02"), (5.5, FROM, b"\x03")) == (
        b"RBCAP\x01\x00\x00"
        b"\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02\x00\x01\x02"
        b"\x00\x65\xcd\x1d\x00\x00\x00\x00\x00\x00\x01\x00\x03"
    )


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(Direction), st.binary(max_size=300)), max_size=20))
def test_what_was_kept_is_read_bit_for_bit(pieces: list[Piece]) -> None:
    pieces.sort(key=lambda piece: piece[0])
    records = records_of(capture_of(*pieces))
    assert [(record.direction, record.data) for record in records] == [(way, data) for _, way, data in pieces]
    assert [record.t_ns for record in records] == [round((t_s - pieces[0][0]) * 1e9) for t_s, _, _ in pieces]


def test_bytes_that_fill_no_record_are_cut_into_several() -> None:
    data = bytes(range(256)) * 600
    records = records_of(capture_of((0.0, FROM, data)))
    assert [len(record.data) for record in records] == [
        MAX_RECORD_BYTES,
        MAX_RECORD_BYTES,
        len(data) % MAX_RECORD_BYTES,
    ]
    assert b"".join(record.data for record in records) == data


@pytest.mark.parametrize("kept", range(len(MAGIC), len(MAGIC) + 2 * (RECORD.size + 3)))
def test_a_capture_cut_off_anywhere_holds_what_came_before(kept: int) -> None:
    content = capture_of((0.0, FROM, b"one"), (1.0, FROM, b"two"))
    whole = (kept - len(MAGIC)) // (RECORD.size + 3)
    assert [record.data for record in records_of(content[:kept])] == [b"one", b"two"][:whole]


@pytest.mark.parametrize("content", [b"", b"RBCAP", b"RIFF\x00\x00\x00\x00WAVE", b"RBCAP\x02\x00\x00"])
def test_what_is_no_capture_of_this_version_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(TransportError, match=r"a\.rbcap: not a capture of this version; "):
        records_of(content)


class Wire(Transport):
    """Carries what it was given."""

    name = "tcp://:9000"

    def __init__(self, *arriving: bytes) -> None:
        self._arriving = list(arriving)
        self.written: list[bytes] = []
        self.is_closed = False

    def read(self, timeout_s: float) -> bytes:
        del timeout_s
        return self._arriving.pop(0) if self._arriving else b""

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True


def test_a_captured_transport_carries_the_same_and_keeps_it() -> None:
    stream, time, wire = io.BytesIO(), PlayedTime(), Wire(b"info", b"", b"sound")
    transport = CapturedTransport(wire, CaptureWriter(stream), time.clock)
    transport.write(b"hello")
    heard = []
    for _ in range(3):
        time.sleep(0.5)
        heard.append(transport.read(0.2))
    transport.close()
    assert heard == [b"info", b"", b"sound"]
    assert wire.written == [b"hello"]
    assert wire.is_closed
    assert records_of(stream.getvalue()) == [
        Record(0, TO, b""),
        Record(0, TO, b"hello"),
        Record(500_000_000, FROM, b"info"),
        Record(1_500_000_000, FROM, b"sound"),
    ]


def test_a_capture_is_played_at_its_own_pace(tmp_path: Path) -> None:
    replay, time = replay_of(tmp_path, (0.0, FROM, b"one"), (0.3, TO, b"hello"), (1.0, FROM, b"two"))
    transport = replay.open()
    arrived = {}
    for _ in range(12):
        data = transport.read(0.2)
        if data:
            arrived[data] = time.clock()
        if len(arrived) == 2:
            break
    assert arrived == {b"one": 0.0, b"two": pytest.approx(1.0)}


def test_where_the_recording_program_stood_still_nobody_takes_the_device_for_silent(tmp_path: Path) -> None:
    replay, time = replay_of(tmp_path, (0.0, FROM, b"a"), (1.0, TO, b"ping"), (1.2, FROM, b"b"), (4.0, FROM, b"c"))
    transport = replay.open()
    read = [transport.read(0.1) for _ in range(3)]
    assert read == [b"a", b"", b""]
    assert time.clock() == pytest.approx(0.2), "PING comes only once a second"
    while read[-1] != b"b":
        read.append(transport.read(0.1))
    assert time.clock() == pytest.approx(1.2)
    assert transport.read(0.1) == b"c"
    assert time.clock() == pytest.approx(4.0)


def test_a_capture_plays_every_byte_and_then_says_that_it_has_ended(tmp_path: Path) -> None:
    pieces = [(0.02 * number, FROM, bytes([number]) * 40) for number in range(100)]
    replay, _ = replay_of(tmp_path, *pieces)
    assert played(replay.open()) == b"".join(data for _, _, data in pieces)


def test_a_capture_that_is_opened_again_goes_on_where_it_stood(tmp_path: Path) -> None:
    replay, _ = replay_of(tmp_path, (0.0, FROM, b"one"), (1.0, FROM, b"two"))
    assert replay.open().read(0.2) == b"one"
    assert played(replay.open()) == b"two"


def test_a_transport_that_was_opened_again_fails_at_the_same_place(tmp_path: Path) -> None:
    replay, _ = replay_of(tmp_path, (0.0, TO, b""), (0.1, FROM, b"one"), (3.0, TO, b""), (3.1, FROM, b"two"))
    transport = replay.open()
    assert b"".join(transport.read(0.2) for _ in range(16)) == b"one"
    with pytest.raises(TransportError, match="it was opened again here"):
        transport.read(0.2)
    assert played(replay.open()) == b"two"


def test_a_capture_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    time = PlayedTime()
    with pytest.raises(TransportError, match=r"a\.rbcap: cannot be read \(No such file"):
        Replay("a.rbcap", tmp_path / "a.rbcap", time.clock, time.sleep).open()
