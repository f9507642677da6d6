"""PROTOCOL.md is what firmware authors follow: its test vectors are read from the page and held against the code."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.codecs import samples_from_payload
from firmware_bridge.frame import HEADER, MAX_BODY_BYTES, MAX_STUFFED_BYTES, Frame, FrameDecoder, encode_frame, stuff
from firmware_bridge.messages import BY_TAGS, Codec, MessageType, frame_from_message, maybe_message

PROTOCOL = (Path(__file__).parents[2] / "firmware_bridge" / "PROTOCOL.md").read_text(encoding="utf-8")


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the first table whose header row begins with `heading`."""
    lines = PROTOCOL[PROTOCOL.index(f"\n| {heading}") :].splitlines()[3:]
    table = lines[: next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


VECTORS = rows_under("what | type | seq")
STUFFED = rows_under("content | stuffed")
PAYLOADS = rows_under("codec | channels | payload")
DROPPED = rows_under("what | on the wire | because")


def frame_of(row: list[str]) -> Frame:
    seq, sample_index, t_us, codec, flags, count = (int(text) for text in row[2:8])
    return Frame(int(row[1], 16), seq, sample_index, t_us, codec, flags, count, bytes_of(row[8]))


def bytes_of(text: str) -> bytes:
    repeated = re.fullmatch(r"(\w\w) x (\d+)", text)
    return bytes.fromhex(repeated[1]) * int(repeated[2]) if repeated else bytes.fromhex(text)


def span(text: str) -> bytes:
    """`01 to fe` or `02 to ff, 00` as bytes."""
    if " to " not in text:
        return bytes.fromhex(text)
    first, last, *after = re.split(r" to |, ", text)
    return bytes(range(int(first, 16), int(last, 16) + 1)) + bytes.fromhex("".join(after))


@pytest.mark.parametrize("row", VECTORS, ids=[row[0] for row in VECTORS])
def test_each_vector_is_what_the_encoder_writes_and_the_decoder_reads(row: list[str]) -> None:
    wire, shown = encode_frame(frame_of(row)), row[-1]
    assert (f"sha256 {hashlib.sha256(wire).hexdigest()}" if shown.startswith("sha256") else wire.hex()) == shown
    assert FrameDecoder().feed(wire) == [frame_of(row)]


@pytest.mark.parametrize("row", STUFFED, ids=[row[0] for row in STUFFED])
def test_cobs_is_as_the_page_shows(row: list[str]) -> None:
    assert stuff(span(row[0])).hex() == row[1]


@pytest.mark.parametrize("row", PAYLOADS, ids=[f"{row[0]} {row[2]}" for row in PAYLOADS])
def test_each_payload_holds_the_samples_that_the_page_says(row: list[str]) -> None:
    codec, channels, payload = Codec(int(row[0].split()[0])), int(row[1]), bytes.fromhex(row[2])
    expected = np.array([int(text) for text in row[3].split(",")]).reshape(-1, channels)
    samples = samples_from_payload(codec, payload, len(expected), channels)
    assert samples is not None
    np.testing.assert_array_equal(samples * (1 << (23 if codec is Codec.PCM24 else 15)), expected)


def test_the_page_shows_each_codec() -> None:
    assert {int(row[0].split()[0]) for row in PAYLOADS} == set(Codec)


@pytest.mark.parametrize("row", DROPPED, ids=[row[0] for row in DROPPED])
def test_what_the_page_says_is_dropped_is_dropped_and_counted(row: list[str]) -> None:
    _, wire, because = row
    decoder = FrameDecoder()
    assert decoder.feed(bytes.fromhex(wire)) == []
    counters = decoder.counters
    found = {
        "CRC": counters.crc_errors, "version": counters.foreign_versions,
        "length": counters.short, "COBS": counters.cobs_errors,
    }  # fmt: skip
    assert found == {name: int(name == because) for name in found}


TAGGED_VECTORS = [row for row in VECTORS if maybe_message(frame_of(row)) is not None]


@pytest.mark.parametrize("row", TAGGED_VECTORS, ids=[row[0] for row in TAGGED_VECTORS])
def test_each_message_of_the_page_is_written_as_it_was_read(row: list[str]) -> None:
    frame = frame_of(row)
    message = maybe_message(frame)
    assert message is not None
    assert frame_from_message(message, seq=frame.seq, sample_index=frame.sample_index, t_us=frame.t_us) == frame


def test_the_page_has_a_vector_of_every_message() -> None:
    assert {MessageType(int(row[1], 16)) for row in VECTORS[:-1]} == set(MessageType)


def test_the_page_lists_the_types_that_the_code_knows() -> None:
    assert {(int(row[0], 16), row[1]) for row in rows_under("type | name | from")} == {
        (each.value, each.name) for each in MessageType
    }


def test_the_page_lists_the_codecs_that_the_code_knows() -> None:
    assert [row[0] for row in rows_under("codec | samples")] == [f"{each.value} {each.name}" for each in Codec]


def test_the_page_lists_every_tag_with_its_type() -> None:
    said = {
        (row[0], int(row[1]), row[2]): row[3].split()[0].rstrip(",:") for row in rows_under("message | tag | field")
    }
    known = {
        (message_type.name, tag, name): written
        for message_type, tags in BY_TAGS.values()
        for tag, (name, written) in tags.items()
    }
    assert said.keys() == known.keys()
    codes = {"u8": "B", "u16": "H", "u32": "I", "i16": "h", "UTF-8": "text"}
    assert {key: codes.get(word, "bytes") for key, word in said.items()} == known


def test_the_page_gives_the_headers_fields_their_offsets() -> None:
    offsets = [int(row[0]) for row in rows_under("offset | type | field")]
    assert offsets == [0, 1, 2, 4, 8, 12, 13, 14, HEADER.size]


def test_the_page_gives_the_limits_of_the_code() -> None:
    limits = {row[0]: row[1] for row in rows_under("what | limit")}
    assert limits["payload, body, frame"] == f"1024, {MAX_BODY_BYTES}, {MAX_STUFFED_BYTES + 1} bytes"
