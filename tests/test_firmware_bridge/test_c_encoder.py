"""What the C header sends, read by the Python side: in both languages, by each compiler, on both orders of bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import DeviceEvent, Info, Log, MessageType, Status, frame_from_message, maybe_message
from tools.c_device import WHOLE, CDevice, hexadecimal
from tools.measure_c_header import UNLIKE

PROTOCOL = (Path(__file__).parents[2] / "firmware_bridge" / "PROTOCOL.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PROTOCOL.splitlines()]
VECTORS = [row for row in ROWS if len(row) == 10 and re.fullmatch("0[1-6]", row[1])]
SOUND = "pcm16 2 1 0 0 01000200"


@pytest.fixture(params=UNLIKE, ids=str)
def device(request: pytest.FixtureRequest) -> CDevice:
    if not request.param.is_here:
        pytest.skip(f"{request.param.command[0]} is not on this machine")
    return CDevice(request.param)


def test_the_page_has_a_vector_of_each_message_to_the_host() -> None:
    assert {int(row[1], 16) for row in VECTORS} == {*range(1, 7)}


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row[0])
def test_the_pages_vectors_are_written_byte_for_byte(device: CDevice, row: list[str]) -> None:
    _, frame_type, seq, sample_index, t_us, codec, flags, count, payload, wire = row
    send = f"audio {codec} {count} {flags}" if frame_type == "01" else f"message {int(frame_type, 16)}"
    said = device.obey(WHOLE, f"counters 0 0 {seq} {sample_index}", f"{send} {t_us} {payload or '-'}")
    assert said.wires == [bytes.fromhex(wire)]


def tags(widths: dict[int, int], **fields: int | str | bytes) -> Iterator[str]:
    """The commands for tags, whose numbers stand in their names: `_7=3`."""
    for name, value in fields.items():
        tag = int(name[1:])
        if isinstance(value, int):
            yield f"tag {tag} {widths[tag]} {value % 2 ** (8 * widths[tag])}"
        else:
            yield f"bytes {tag} {hexadecimal(value.encode() if isinstance(value, str) else value)}"


def test_all_that_info_can_say_reaches_the_host(device: CDevice) -> None:
    info = Info(
        boot_id=0x12345678, rate_numerator_hz=16124, rate_denominator=3, channels=2, bits=20, firmware="steth 1.4 µ",
        model="demo", device_id=b"\n\x0b", filter="bell", gain_centibel=-350, codecs=b"\1\4", max_payload_bytes=46,
    )  # fmt: skip
    fields = tags(
        {7: 4, 8: 1, 9: 1, 11: 2, 13: 2}, _2=info.firmware, _3=info.model, _4=info.device_id, _7=3, _8=2, _9=20,
        _10=info.filter, _11=-350, _12=info.codecs, _13=46,
    )  # fmt: skip
    assert device.obey(*fields, WHOLE, f"identity {info.boot_id} 16124", "info 5").messages == [info]


def test_all_that_status_can_say_reaches_the_host(device: CDevice) -> None:
    status = Status(87, overruns=3, buffer_percent=12, temperature_decicelsius=-55, unsent_frames=1, state=1)
    fields = tags({1: 1, 3: 1, 4: 2}, _1=87, _3=12, _4=-55)
    assert device.obey(*fields, WHOLE, "counters 3 1 0 0", "status 1 9").messages == [status]


def test_a_device_need_not_say_what_it_does_not_know(device: CDevice) -> None:
    said = device.obey(WHOLE, "identity 1 4000", "info 0", "status 0 0")
    assert said.messages == [Info(1, 4000), Status(overruns=0, unsent_frames=0, state=0)]


def test_random_messages_are_written_as_the_python_side_writes_them(device: CDevice) -> None:
    drawn = random.Random(1)
    commands: list[str] = [WHOLE]
    expected: list[Frame] = []
    for seq in range(300):
        index = sum(frame.count for frame in expected if frame.type == MessageType.AUDIO)
        command, frame = drawn_message(drawn, seq, index)
        commands.append(command)
        expected.append(frame)
    said = device.obey(*commands)
    assert said.frames == expected
    assert said.wires == [encode_frame(frame) for frame in expected]


def drawn_message(drawn: random.Random, seq: int, index: int) -> tuple[str, Frame]:
    """What a device is told to send, and the frame that shall come."""
    t_us, kind = drawn.getrandbits(32), drawn.choice(["pcm16", "audio", "event", "log", "message"])
    if kind == "pcm16":
        channels, flags = drawn.choice([1, 2]), drawn.choice([0, 1, 4, 8])
        count = drawn.randrange(512 // channels + 1)
        payload = sparse_bytes(drawn, 2 * count * channels)
        command = f"pcm16 {count} {channels} {flags} {t_us} {hexadecimal(payload)}"
        return command, Frame(MessageType.AUDIO, seq, index, t_us, 1, flags, count, payload)
    payload = sparse_bytes(drawn, drawn.choice([0, 1, 233, 234, 235, 236, 490, 1023, 1024, drawn.randrange(1025)]))
    if kind == "audio":
        count = drawn.randrange(600)
        command = f"audio 3 {count} 0 {t_us} {hexadecimal(payload)}"
        return command, Frame(MessageType.AUDIO, seq, index, t_us, 3, 0, count, payload)
    if kind == "message":
        return f"message 200 {t_us} {hexadecimal(payload)}", Frame(200, seq, 0, t_us, 0, 0, len(payload), payload)
    text, code = f"{drawn.random():.{drawn.randrange(20)}f} µ", drawn.randrange(256)
    message = DeviceEvent(code, text) if kind == "event" else Log(code, text)
    return f"{kind} {code} {t_us} {text.encode().hex()}", frame_from_message(message, seq=seq, t_us=t_us)


def sparse_bytes(drawn: random.Random, count: int) -> bytes:
    """With as many zeros as quiet sound has, with a few, or with none: all that COBS can meet."""
    zeros = drawn.choice([0.0, 0.003, 0.5])
    return bytes(0 if drawn.random() < zeros else drawn.randrange(1, 256) for _ in range(count))


def test_runs_about_a_full_cobs_run_are_cut_as_the_page_says(device: CDevice) -> None:
    payloads = [
        b"\1" * (254 * runs + more) + zero for runs in range(1, 5) for more in range(-20, 2) for zero in (b"", b"\0")
    ]
    payloads = [payload for payload in payloads if len(payload) <= 1024]
    said = device.obey(WHOLE, *(f"message 66 16843009 {payload.hex()}" for payload in payloads))
    frames = [Frame(66, seq, 0, 16843009, 0, 0, len(each), each) for seq, each in enumerate(payloads)]
    assert said.wires == [encode_frame(frame) for frame in frames]


def test_lost_samples_are_counted_and_told_of_once(device: CDevice) -> None:
    said = device.obey(WHOLE, SOUND, "lost 100", "lost 28", SOUND, SOUND, "status 1 0")
    *sound, status = said.frames
    assert [(frame.sample_index, frame.flags) for frame in sound] == [(0, 0), (130, 2), (132, 0)]
    assert maybe_message(status) == Status(overruns=2, unsent_frames=0, state=1)


def test_other_messages_between_do_not_hide_a_loss(device: CDevice) -> None:
    *_, sound = device.obey(WHOLE, "lost 5", "log 4 0 61", SOUND).frames
    assert (sound.sample_index, sound.flags) == (5, 2)


def test_sample_index_and_seq_wrap(device: CDevice) -> None:
    said = device.obey(WHOLE, "counters 0 0 65535 4294967290", *["pcm16 4 1 0 0 0100020003000400"] * 2)
    assert [(frame.seq, frame.sample_index) for frame in said.frames] == [(65535, 4294967290), (0, 4294967294)]


def test_sound_that_the_port_refuses_becomes_a_gap(device: CDevice) -> None:
    said = device.obey(WHOLE, SOUND, "refuse 1", SOUND, SOUND, "show")
    assert said.lengths == [24, 0, 25]
    assert [(frame.seq, frame.sample_index, frame.flags) for frame in said.frames] == [(0, 0, 0), (2, 4, 2)]
    assert said.counted[-1]["unsent"] == 1


def test_a_frame_after_one_that_left_in_part_is_read(device: CDevice) -> None:
    said = device.obey("memory 300 64 buffer", SOUND, "unsent", SOUND, "show")
    first, second = said.wires
    (frame,) = FrameDecoder().feed(first[:-3] + second)
    assert (frame.sample_index, frame.flags) == (2, 2)
    assert said.counted[-1]["unsent"] == 1


@pytest.mark.parametrize("out_bytes", [0, 6, 7, 24, 25, 28, 29, 40])
def test_a_frame_that_does_not_fit_its_buffer_goes_nowhere_and_is_counted(device: CDevice, out_bytes: int) -> None:
    said = device.obey(f"memory {out_bytes} 64 write", SOUND, f"pcm16 64 1 0 0 {'0100' * 64}", "show")
    fits = int(out_bytes >= 25 + 4)
    assert len(said.wires) == len(said.frames) == fits
    assert said.counted[-1].items() >= {"unsent": 2 - fits, "sample_index": 66}.items()


def test_a_payload_longer_than_the_links_goes_nowhere(device: CDevice) -> None:
    longest = f"log 3 0 {'61' * 1023}"
    assert device.obey("memory 5000 64 write", f"message 200 0 {'01' * 1025}", f"{longest}61", longest).lengths == [
        0,
        0,
        1049,
    ]
