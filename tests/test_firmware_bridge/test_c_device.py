"""Who answers what, and when: the device's side of PROTOCOL.md, section 7, as the C header keeps it."""

from __future__ import annotations

import pytest

from firmware_bridge.frame import HEADER, Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import Hello, Info, MessageType, Start, frame_from_message, maybe_message
from tools.c_device import WHOLE, CDevice, wire_of_body
from tools.measure_c_header import UNLIKE

INFO = Info(boot_id=0x12345678, rate_numerator_hz=16124, channels=2)
READY = ("tag 8 1 2", "memory 300 64 write", f"identity {INFO.boot_id} 16124")
SOUND = "pcm16 2 1 0 0 01000200"


@pytest.fixture(params=UNLIKE, ids=str)
def device(request: pytest.FixtureRequest) -> CDevice:
    if not request.param.is_here:
        pytest.skip(f"{request.param.command[0]} is not on this machine")
    return CDevice(request.param)


def wire(message_type: int, payload: bytes = b"") -> str:
    return encode_frame(Frame(message_type, count=len(payload), payload=payload)).hex()


HELLO = encode_frame(frame_from_message(Hello())).hex()
START = encode_frame(frame_from_message(Start())).hex()
STOP = wire(MessageType.STOP)
PING = wire(MessageType.PING, b"12345678")


def test_hello_is_answered_with_info(device: CDevice) -> None:
    assert device.obey(*READY, f"feed 5 {HELLO}").messages == [INFO]


def test_an_opened_port_gets_a_delimiter_and_info(device: CDevice) -> None:
    (piece,) = device.obey(*READY, "opened 5").wires
    assert piece[0] == 0
    assert [maybe_message(frame) for frame in FrameDecoder().feed(b"boot ok\r\n" + piece)] == [INFO]


def test_ping_is_answered_with_its_payload(device: CDevice) -> None:
    (pong,) = device.obey(WHOLE, f"feed 77 {PING}").frames
    assert (pong.type, pong.t_us, pong.payload) == (MessageType.PONG, 77, b"12345678")


def test_start_counts_from_sample_0_each_time(device: CDevice) -> None:
    said = device.obey(*READY, f"feed 0 {START}", SOUND, "lost 9", f"feed 9 {START}", SOUND, "show")
    assert [(frame.sample_index, frame.flags) for frame in said.frames] == [(0, 0), (0, 0)]
    assert said.counted[-1].items() >= {"state": 1, "codec": 1, "overruns": 1}.items()


def test_start_names_the_codec(device: CDevice) -> None:
    asked = encode_frame(frame_from_message(Start(codec=4))).hex()
    assert device.obey(*READY, f"feed 0 {asked}", "show").counted[-1]["codec"] == 4


def test_stop_ends_the_stream(device: CDevice) -> None:
    assert device.obey(*READY, f"feed 0 {START}{STOP}", "show").counted[-1]["state"] == 0


def test_types_of_later_versions_are_skipped(device: CDevice) -> None:
    said = device.obey(*READY, f"feed 0 {wire(0x84)}{wire(0xBF)}{wire(0x00)}{HELLO}", "show")
    assert said.messages == [INFO]
    assert said.counted[-1].items() >= {"received": 4, "damaged": 0, "state": 0}.items()


def test_another_major_version_is_answered_with_info_and_starts_nothing(device: CDevice) -> None:
    start = wire_of_body(HEADER.pack(0xA2, MessageType.START, 0, 0, 0, 0, 0, 0))
    said = device.obey(*READY, f"feed 0 {start.hex()}", "show")
    assert said.messages == [INFO]
    assert said.counted[-1].items() >= {"state": 0, "foreign": 1}.items()


@pytest.mark.parametrize("began_us", [0, 2**32 - 5_000_000], ids=["from 0", "over the wrap of its clock"])
def test_ten_seconds_without_ping_end_the_stream(device: CDevice, began_us: int) -> None:
    start, ping, before, after = ((began_us + at_ms * 1000) % 2**32 for at_ms in (0, 4_000, 13_999, 14_000))
    polls = (f"poll {before}", "show", f"poll {after}", "show")
    said = device.obey(*READY, f"feed {start} {START}", f"feed {ping} {PING}", *polls)
    assert [shown["state"] for shown in said.counted] == [1, 0]


def test_a_byte_answered_after_the_clock_was_read_ends_nothing(device: CDevice) -> None:
    said = device.obey(*READY, f"feed 1001 {START}", "poll 1000", "show")
    assert said.counted[-1]["state"] == 1
    assert said.wires == []


def test_info_comes_every_five_seconds_and_status_every_second_while_streaming(device: CDevice) -> None:
    seconds = [(f"feed {second * 1_000_000} {PING}", f"poll {second * 1_000_000}") for second in range(1, 11)]
    between = [f"poll {tenth * 100_000 + 1}" for tenth in range(1, 100)]
    moments = sorted((command for pair in seconds for command in pair), key=moment)
    polled = sorted([*moments, *between], key=moment)
    types = [frame.type for frame in device.obey(*READY, f"feed 0 {START}", *polled).frames]
    assert [types.count(each) for each in (MessageType.INFO, MessageType.STATUS, MessageType.PONG)] == [2, 10, 10]
    assert device.obey(*READY, *between).wires == []


def moment(command: str) -> int:
    return int(command.split()[1])


def test_a_closed_port_forgets_half_a_frame_and_stops(device: CDevice) -> None:
    said = device.obey(*READY, f"feed 0 {START}{HELLO[:20]}", "closed", f"feed 9 {HELLO}", "show")
    assert said.messages == [INFO]
    assert said.counted[-1].items() >= {"state": 0, "damaged": 0, "received": 2}.items()
