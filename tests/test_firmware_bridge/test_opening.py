"""What URIs mean, and what is said of those that cannot be."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from firmware_bridge.capture import CaptureWriter, Direction
from firmware_bridge.errors import BridgeError, CaptureEnded, TransportError
from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import Info, MessageType, maybe_message
from firmware_bridge.transports import serial_port
from firmware_bridge.transports.opening import Way, is_device_uri, open_transport, way_from_uri
from firmware_bridge.transports.transport import Transport

WAIT_S = 5.0


def clock() -> float:
    return 0.0


def sleep(duration_s: float) -> None:
    raise AssertionError(f"nothing waits here, not even {duration_s} s")


def way_to(uri: str) -> Way:
    return way_from_uri(uri, clock=clock, sleep=sleep)


def opened(uri: str) -> Transport:
    return open_transport(uri, clock=clock, sleep=sleep)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    "uri", ["serial:///dev/ttyS0", "tcp://:1", "udp://:1", "ble://a", "a.rbcap", "/x/a.rbcap?speed=max"]
)
def test_devices_and_captures_are_told_from_other_sources(uri: str) -> None:
    assert is_device_uri(uri)


@pytest.mark.parametrize("uri", ["mic", "mic:tcp", "demo", "a.wav", "http://a/b.wav", "tcp", "a.rbcap.wav"])
def test_other_sources_are_not_taken_for_devices(uri: str) -> None:
    assert not is_device_uri(uri)


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost", "0.0.0.0"])
def test_tcp_listens_where_its_uri_says(host: str) -> None:
    port = free_port()
    transport = opened(f"tcp://{host}:{port}")
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as device:
        transport.read(WAIT_S)
        device.sendall(b"sound")
        assert transport.read(WAIT_S) == b"sound"
    transport.close()


def test_only_datagrams_reorder() -> None:
    assert way_to("udp://:9000").reorders
    assert not way_to("tcp://:9000").reorders


def test_a_serial_port_is_opened_at_its_baud_rate() -> None:
    pytest.importorskip("serial")
    termios = pytest.importorskip("termios")
    device, port = os.openpty()
    transport = opened(f"serial://{os.ttyname(port)}?baud=921600")
    assert termios.tcgetattr(port)[4:6] == [termios.B921600] * 2
    transport.close()
    os.close(port)
    os.close(device)


def test_bare_samples_make_a_device_of_any_way() -> None:
    port = free_port()
    transport = opened(f"udp://:{port}?raw=s16le&rate=16000&channels=2&channel=2")
    transport.write(encode_frame(Frame(MessageType.HELLO)))
    (frame,) = FrameDecoder().feed(transport.read(0.0))
    info = maybe_message(frame)
    assert isinstance(info, Info)
    assert (info.sample_rate_hz, info.channels) == (16000, 1)
    transport.close()


def test_every_opening_of_bare_samples_is_the_same_start_of_the_device() -> None:
    way, boot_ids = way_to(f"udp://:{free_port()}?raw=u8&rate=8000"), set()
    for _ in range(2):
        transport = way.open()
        transport.write(encode_frame(Frame(MessageType.HELLO)))
        info = maybe_message(FrameDecoder().feed(transport.read(0.0))[0])
        assert isinstance(info, Info)
        boot_ids.add(info.boot_id)
        transport.close()
    assert len(boot_ids) == 1


def test_a_capture_is_played_as_fast_as_possible_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.rbcap"
    with path.open("wb") as stream:
        writer = CaptureWriter(stream)
        writer.add(0.0, Direction.FROM_DEVICE, b"one")
        writer.add(3600.0, Direction.FROM_DEVICE, b"two")
    way = way_to(f"{path}?speed=max")
    transport, data = way.open(), b""
    while not data.endswith(b"two"):
        data += transport.read(60.0)
    assert data == b"onetwo"
    assert way.clock() == pytest.approx(3600.0)
    with pytest.raises(CaptureEnded):
        transport.read(60.0)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("tcp://", "give tcp://:PORT to listen"),
        ("tcp://:0", "give tcp://:PORT to listen"),
        ("tcp://:65536", "give tcp://:PORT"),
        ("udp://host", "give udp://:PORT"),
        ("tcp://user@host:1", "give tcp://:PORT"),
        ("tcp://:1?baud=9600", "baud is no setting of tcp://"),
        ("tcp://:1?raw=s16le", "bare samples need both raw and rate"),
        ("tcp://:1?channels=2", "bare samples need both raw and rate"),
        ("tcp://:1?raw=s12le&rate=4000", "raw=s12le is unknown; give s8, u8"),
        ("tcp://:1?raw=u8&rate=fast", "rate=fast cannot be"),
        ("tcp://:1?raw=u8&rate=4000&channels=2&channel=3", "channel=3 cannot be; give 1 to 2"),
        ("tcp://:1?raw=u8&raw=s8&rate=4000", "stands there twice"),
        ("serial://", "which port"),
        ("serial:///dev/ttyS0?baud=0", "baud=0 cannot be"),
        ("serial:///dev/ttyS0?baud=١", "baud=١ cannot be"),
        ("ble://", "which device"),
        ("a.rbcap?speed=2", "speed=max or"),
        ("http://a", "no such way to a device"),
        ("nonsense", "no such way to a device"),
    ],
)
def test_a_uri_that_cannot_be_is_one_clear_line(uri: str, said: str) -> None:
    with pytest.raises(BridgeError) as raised:
        way_to(uri)
    assert str(raised.value).startswith(f"{uri}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not isinstance(raised.value, TransportError)


def test_a_missing_library_is_told_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "find_spec", lambda name: None)
    with pytest.raises(BridgeError, match="pip install"):
        way_to("serial:///dev/ttyS0")
