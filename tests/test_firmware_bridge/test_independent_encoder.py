"""A device written from PROTOCOL.md alone talks to the host over TCP. Its half of this file imports nothing of ours."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_bridge.errors import ProtocolError
from firmware_bridge.link import Link
from firmware_bridge.messages import WindowResult
from firmware_bridge.news import News, Told
from firmware_bridge.session import Phase
from firmware_bridge.timeline import Chunk
from firmware_bridge.transports.tcp import TcpTransport

RATE_HZ = 8000
WAIT_S = 10.0
AUDIO, INFO, STATUS, EVENT, LOG, PONG = 1, 2, 3, 4, 5, 6
HELLO, START, STOP, RESULT, PING = 0x81, 0x82, 0x83, 0x85, 0x86
PCM16, PCM24, MULAW, IMA_ADPCM = 1, 2, 3, 4

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]
Header = tuple[int, int, int, int, int, int, int, int]


def crc16(data: bytes) -> int:
    """Section 2: polynomial 1021, start FFFF, not reflected."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
    return register


def cobs(content: bytes) -> bytes:
    """Section 2, byte by byte, as firmware does it."""
    stuffed, code_at, code = bytearray([0]), 0, 1
    for place, byte in enumerate(content):
        if byte:
            stuffed.append(byte)
            code += 1
        if not byte or (code == 0xFF and place + 1 < len(content)):
            stuffed[code_at] = code
            code_at, code = len(stuffed), 1
            stuffed.append(0)
    stuffed[code_at] = code
    return bytes(stuffed)


def uncobs(stuffed: bytes) -> bytes:
    content, at = b"", 0
    while at < len(stuffed):
        code = stuffed[at]
        content += stuffed[at + 1 : at + code]
        at += code
        content += b"\0" if code < 0xFF and at < len(stuffed) else b""
    return content


def wire(header: Header, payload: bytes) -> bytes:
    body = struct.pack("<BBHIIBBH", *header) + payload
    return cobs(body + struct.pack("<H", crc16(body))) + b"\0"


def tag(number: int, content: bytes) -> bytes:
    return bytes([number, len(content)]) + content


@dataclass
class Firmware:
    """The other side of a connection."""

    connection: socket.socket
    version: int = 0xA1
    seq: int = 65533
    """So that it wraps soon."""
    boot_id: int = 0x12345678
    heard: list[tuple[Header, bytes]] = field(default_factory=list)
    _unread: bytes = b""

    def say(self, kind: int, payload: bytes = b"", **fields: int) -> None:
        count = fields.get("count", len(payload))
        header = (self.version, kind, self.seq, fields.get("index", 0), fields.get("t_us", 0),
                  fields.get("codec", 0), fields.get("flags", 0), count)  # fmt: skip
        self.seq = (self.seq + 1) % 65536
        self.connection.sendall(wire(header, payload))

    def say_info(self, codecs: bytes = bytes([PCM16]), channels: int = 1, minor: int = 0) -> None:
        tags = [tag(200, b"of a later version"), tag(5, struct.pack("<I", self.boot_id)), tag(12, codecs),
                tag(6, struct.pack("<I", RATE_HZ)), tag(1, bytes([minor])), tag(8, bytes([channels])),
                tag(3, "Stéthoscope".encode()), tag(9, b"too long for its field")]  # fmt: skip
        self.say(INFO, b"".join(tags))

    def say_sound(self, integers: Int16, index: int, **fields: int) -> None:
        self.say(
            AUDIO, integers.astype("<i2").tobytes(), index=index % 2**32, codec=PCM16, count=len(integers), **fields
        )

    def listen(self) -> list[int]:
        """Take what the host has said, and give the types."""
        self.connection.settimeout(0.01)
        try:
            self._unread += self.connection.recv(4096)
        except TimeoutError:
            return []
        *frames, self._unread = self._unread.split(b"\0")
        taken = []
        for stuffed in filter(None, frames):
            body = uncobs(stuffed)
            assert struct.unpack("<H", body[-2:])[0] == crc16(body[:-2])
            header = struct.unpack("<BBHIIBBH", body[:16])
            assert header[0] == 0xA1
            self.heard.append((header, body[16:-2]))
            taken.append(header[1])
        return taken

    def last(self, kind: int) -> tuple[Header, bytes]:
        return next(said for said in reversed(self.heard) if said[0][1] == kind)


@dataclass
class Host:
    """Our side."""

    link: Link
    news: list[News] = field(default_factory=list)

    def read(self) -> None:
        self.news += self.link.read(0.01)

    def told(self, name: str) -> list[Told]:
        return [each for each in self.news if isinstance(each, Told) and each.name == name]

    def sound(self) -> Float32:
        chunks = [each.samples for each in self.news if isinstance(each, Chunk)]
        return np.concatenate(chunks) if chunks else np.zeros((0, 1), np.float32)


@pytest.fixture
def transport() -> Iterator[TcpTransport]:
    transport = TcpTransport("tcp://:0", "", 0, time.monotonic)
    yield transport
    transport.close()


@pytest.fixture
def host(transport: TcpTransport) -> Iterator[Host]:
    link = Link("tcp://:0", lambda: transport, time.monotonic)
    link.open()
    yield Host(link)
    link.close()


@pytest.fixture
def firmware(host: Host, transport: TcpTransport) -> Iterator[Firmware]:
    with socket.create_connection(("127.0.0.1", transport.port), timeout=WAIT_S) as connection:
        yield Firmware(connection)


def until(host: Host, firmware: Firmware, wanted: Callable[[], object]) -> None:
    """Both take turns until it is so."""
    end_s = time.monotonic() + WAIT_S
    while not wanted():
        assert time.monotonic() < end_s, (host.link.phase, host.news, firmware.heard)
        host.read()
        firmware.listen()


def hears(firmware: Firmware, kind: int) -> Callable[[], bool]:
    return lambda: any(header[1] == kind for header, _ in firmware.heard)


def greet(host: Host, firmware: Firmware, **info: object) -> None:
    until(host, firmware, hears(firmware, HELLO))
    firmware.say_info(**info)  # type: ignore[arg-type]
    until(host, firmware, hears(firmware, START))


def ramp(count: int, start: int = 0) -> Int16:
    return np.arange(start, start + count, dtype=np.int16)


def test_from_hello_to_sound_and_back(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    assert (1, b"\x00") in tags_of(firmware.last(HELLO)[1])
    assert (1, bytes([PCM16])) in tags_of(firmware.last(START)[1])
    assert host.link.info is not None
    assert (host.link.info.model, host.link.info.sample_rate_hz, host.link.info.bits) == ("Stéthoscope", RATE_HZ, 16)
    for number in range(10):
        firmware.say_sound(ramp(64, 64 * number), 64 * number)
    until(host, firmware, lambda: len(host.sound()) == 640)
    np.testing.assert_array_equal(host.sound()[:, 0], ramp(640) / np.float32(32768))
    host.link.send_result(WindowResult(7000, 2, 81), 512)
    until(host, firmware, hears(firmware, RESULT))
    header, payload = firmware.last(RESULT)
    assert header[3] == 512
    assert struct.unpack("<IBBBB", payload) == (7000, 2, 81, 0, 0)
    host.link.close()
    until_heard(firmware, STOP)


def test_pings_are_answered_and_say_how_old_sound_is(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    firmware.say_sound(ramp(64), 0)
    until(host, firmware, hears(firmware, PING))
    firmware.say(PONG, firmware.last(PING)[1], t_us=2**32 - 1000)
    until(host, firmware, lambda: host.link.round_trip_s is not None)
    firmware.say_sound(ramp(64), 64, t_us=1000)
    until(host, firmware, lambda: host.link.sound_age_s is not None)
    assert host.link.sound_age_s is not None
    assert abs(host.link.sound_age_s) < 1.0


def test_everything_else_that_a_device_may_say(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    firmware.say(STATUS, tag(1, bytes([57])) + tag(99, b"?") + tag(4, struct.pack("<h", -40)))
    firmware.say(EVENT, b"\x01twice")
    firmware.say(EVENT, b"\x63")
    firmware.say(LOG, bytes([3]) + b"ring \xff full")
    firmware.say(0x42, b"of its own")
    firmware.say_sound(ramp(64), 0, flags=4)
    until(host, firmware, lambda: len(host.sound()))
    status = host.link.status
    assert status is not None
    assert (status.battery_percent, status.temperature_decicelsius, status.overruns) == (57, -40, None)
    assert host.told("button")[0].fields["text"] == "twice"
    assert host.told("device-event")[0].fields["code"] == 0x63
    assert host.told("device-log")[0].fields["severity"] == 3
    assert host.told("contact-lost")
    assert host.link.counters.unknown_types == 1


def test_a_higher_minor_version_is_warned_of_once(host: Host, firmware: Firmware) -> None:
    greet(host, firmware, minor=9)
    firmware.say_info(minor=9)
    firmware.say_sound(ramp(64), 0)
    until(host, firmware, lambda: len(host.sound()))
    (told,) = host.told("newer-version")
    assert told.fields["minor_version"] == 9


def test_another_major_version_is_refused_in_one_line(host: Host, firmware: Firmware) -> None:
    firmware.version = 0xA2
    firmware.say_info()
    with pytest.raises(ProtocolError, match=r"version 2\b") as refused:
        until(host, firmware, lambda: False)
    assert "\n" not in str(refused.value)
    assert host.link.phase in (Phase.REFUSED, Phase.CLOSED)


def test_counters_that_wrap_leave_no_gap(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    for number in range(10):
        firmware.say_sound(
            ramp(64, 64 * number), 2**32 - 320 + 64 * number, t_us=(2**32 - 20_000 + 8000 * number) % 2**32
        )
    until(host, firmware, lambda: len(host.sound()) == 640)
    np.testing.assert_array_equal(host.sound()[:, 0], ramp(640) / np.float32(32768))
    assert host.link.timeline_counters.gaps == host.link.counters.missing_frames == 0


def test_a_new_boot_is_asked_for_sound_again_and_its_gap_is_marked(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    firmware.say_sound(ramp(64), 0)
    until(host, firmware, lambda: len(host.sound()) == 64)
    firmware.boot_id, firmware.heard = 77, []
    firmware.say_info()
    until(host, firmware, hears(firmware, START))
    firmware.say_sound(ramp(64), 0)
    until(host, firmware, lambda: len(host.sound()) == 128)
    assert host.told("device-restarted")
    assert host.link.timeline_counters.restarts == 1
    assert host.link.timeline_counters.lost_samples > 0


def test_a_lost_frame_is_a_gap_as_long_as_it_was(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    for number in (0, 1, 2, 5, 6):
        firmware.say_sound(ramp(64, 64 * number), 64 * number)
    until(host, firmware, lambda: host.link.position == 448)
    assert host.link.timeline_counters.lost_samples == 128


def mulaw_value(byte: int) -> int:
    """G.711, from its formula: 8 segments of 16 steps, inverted bits, 14 bits wide."""
    byte = ~byte & 0xFF
    segment, step = byte >> 4 & 7, byte & 15
    magnitude = ((2 * step + 33) << segment) - 33
    return -4 * magnitude if byte & 0x80 else 4 * magnitude


def adpcm(sample: int, *nibbles: int) -> list[int]:
    """From step index 0 on, with the first of the IMA's steps."""
    steps = [7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34]
    heard, index = [], 0
    for nibble in nibbles:
        step = steps[index]
        change = (step >> 3) + sum(step >> shift for bit, shift in ((4, 0), (2, 1), (1, 2)) if nibble & bit)
        sample += -change if nibble & 8 else change
        index = max(index + (-1, -1, -1, -1, 2, 4, 6, 8)[nibble & 7], 0)
        heard.append(sample)
    return heard


@pytest.mark.parametrize(
    ("codec", "payload", "expected"),
    [
        (PCM24, b"\x00\x00\x80\xff\xff\x7f\x01\x00\x00", [-(2**23), 2**23 - 1, 1]),
        (MULAW, bytes(range(256)), [256 * mulaw_value(byte) for byte in range(256)]),
        (IMA_ADPCM, struct.pack("<hBB", 100, 0, 0) + b"\xf7\x80", [256 * each for each in adpcm(100, 7, 15, 0, 8)]),
    ],
    ids=["PCM24", "MULAW", "IMA_ADPCM"],
)
def test_every_codec_is_heard_as_the_page_says(
    host: Host, firmware: Firmware, codec: int, payload: bytes, expected: list[int]
) -> None:
    """`expected`: of 24 bits."""
    greet(host, firmware, codecs=bytes([codec]))
    assert (1, bytes([codec])) in tags_of(firmware.last(START)[1])
    firmware.say(AUDIO, payload, codec=codec, count=len(expected))
    until(host, firmware, lambda: len(host.sound()))
    np.testing.assert_array_equal(host.sound()[:, 0], np.array(expected) / np.float32(2**23))


def test_two_channels_come_side_by_side(host: Host, firmware: Firmware) -> None:
    greet(host, firmware, channels=2)
    both = np.stack([ramp(32), -ramp(32)], axis=1)
    firmware.say(AUDIO, both.astype("<i2").tobytes(), codec=PCM16, count=32)
    until(host, firmware, lambda: len(host.sound()))
    np.testing.assert_array_equal(host.sound(), both / np.float32(32768))


def test_damage_costs_one_frame(host: Host, firmware: Firmware) -> None:
    greet(host, firmware)
    firmware.say_sound(ramp(64), 0)
    firmware.connection.sendall(b"boot ok\r\n\x00\x05\x01\x02\x00" + bytes(range(1, 200)) + b"\0\0\0")
    firmware.say_sound(ramp(64, 64), 64)
    until(host, firmware, lambda: len(host.sound()) == 128)
    assert host.link.timeline_counters.gaps == 0


def tags_of(payload: bytes) -> list[tuple[int, bytes]]:
    tags, at = [], 0
    while at < len(payload):
        tags.append((payload[at], payload[at + 2 : at + 2 + payload[at + 1]]))
        at += 2 + payload[at + 1]
    return tags


def until_heard(firmware: Firmware, kind: int) -> None:
    end_s = time.monotonic() + WAIT_S
    while kind not in firmware.listen():
        assert time.monotonic() < end_s


def test_the_page_and_this_file_agree_on_the_bytes() -> None:
    """Section 11's first vectors, so that a mistake made twice alike is seen."""
    assert crc16(b"123456789") == 0x29B1
    assert wire((0xA1, PING, 0, 0, 0, 0, 0, 0), b"").hex() == "03a1860101010101010101010101010103320e00"
    sound = bytes.fromhex("00000100ffff000100ffff7f00800a00")
    expected = "04a10107010204010103e803020102080101020103ffff020104ffff7f03800a03128200"
    assert wire((0xA1, AUDIO, 7, 1024, 256000, 1, 0, 8), sound).hex() == expected
    assert cobs(bytes(range(1, 255))) == bytes([255, *range(1, 255)])
    assert uncobs(cobs(bytes(range(256)) * 4)) == bytes(range(256)) * 4
    assert [mulaw_value(byte) for byte in (0x00, 0x7F, 0x80, 0xFF)] == [-32124, 0, 32124, 0]
