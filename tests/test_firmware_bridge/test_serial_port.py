"""A serial port, over pseudo-terminals of this machine: the kernel's line discipline and pyserial are the real ones."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_bridge.errors import BridgeError, TransportError
from firmware_bridge.transports import serial_port
from firmware_bridge.transports.serial_port import MAX_READ_BYTES, SerialTransport, require_pyserial

pytest.importorskip("serial")
WAIT_S = 5.0
URI = "serial:///dev/ttyX"
EVERY_BYTE = bytes(range(256))


@dataclass
class Wire:
    """A device's end of a port, and the port's path."""

    device: int
    path: str


@pytest.fixture
def wire() -> Iterator[Wire]:
    device, port = os.openpty()
    yield Wire(device, os.ttyname(port))
    os.close(port)
    os.close(device)


@pytest.fixture
def transport(wire: Wire) -> Iterator[SerialTransport]:
    transport = SerialTransport(URI, wire.path, 921600)
    yield transport
    transport.close()


def read_all(transport: SerialTransport, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := transport.read(WAIT_S)):
        data += piece
    return data


def test_every_byte_passes_as_it_is_in_both_directions(wire: Wire, transport: SerialTransport) -> None:
    """No echo, no line editing, no translation of line ends, no flow control."""
    os.write(wire.device, EVERY_BYTE)
    assert read_all(transport, 256) == EVERY_BYTE
    transport.write(EVERY_BYTE)
    assert os.read(wire.device, 1000) == EVERY_BYTE


def test_nothing_comes_where_nothing_is_sent(transport: SerialTransport) -> None:
    assert transport.read(0.01) == b""


def test_a_path_by_id_is_followed(wire: Wire, tmp_path: Path) -> None:
    by_id = tmp_path / "usb-Maker_Stethoscope_0001-if00"
    by_id.symlink_to(wire.path)
    transport = SerialTransport(URI, str(by_id))
    os.write(wire.device, b"sound")
    assert transport.read(WAIT_S) == b"sound"
    transport.close()


def test_a_port_is_opened_for_one_program_alone(wire: Wire, transport: SerialTransport) -> None:
    with pytest.raises(TransportError, match=f"{URI}: cannot open the port .*; end the other program that uses it"):
        SerialTransport(URI, wire.path)


def test_a_port_can_be_opened_again(wire: Wire, transport: SerialTransport) -> None:
    transport.close()
    transport.close()
    again = SerialTransport(URI, wire.path)
    os.write(wire.device, b"sound")
    assert again.read(WAIT_S) == b"sound"
    again.close()


def test_a_port_that_vanishes_is_gone() -> None:
    device, port = os.openpty()
    transport = SerialTransport(URI, os.ttyname(port))
    os.close(port)
    os.close(device)
    with pytest.raises(TransportError, match=f"{URI}: the port is gone"):
        transport.read(WAIT_S)
    with pytest.raises(TransportError, match=f"{URI}: the device takes nothing any more"):
        transport.write(b"result")
    transport.close()


def test_a_device_that_takes_nothing_fails_soon(transport: SerialTransport) -> None:
    with pytest.raises(TransportError, match="the device takes nothing any more"):
        transport.write(bytes(1 << 20))


def test_reads_are_bounded(wire: Wire, transport: SerialTransport) -> None:
    os.set_blocking(wire.device, False)
    os.write(wire.device, bytes(1 << 16))
    assert 0 < len(transport.read(WAIT_S)) <= MAX_READ_BYTES + 1


def test_a_port_that_is_not_there_says_how_to_find_it() -> None:
    with pytest.raises(
        TransportError, match=r"port \(No such file or directory\); plug the device in; `ls /dev/serial/by-id`"
    ):
        SerialTransport(URI, "/dev/ttyNotThere")


def test_a_file_is_no_serial_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(TransportError, match="cannot open the port"):
        SerialTransport(URI, str(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_port_that_is_not_allowed_names_the_group(wire: Wire) -> None:
    Path(wire.path).chmod(0)
    with pytest.raises(TransportError, match=r"sudo usermod -aG dialout \$USER"):
        SerialTransport(URI, wire.path)


def test_the_advice_for_a_port_that_is_not_allowed_names_the_group() -> None:
    """As root, which tests often run as, may open anything."""
    assert "dialout" in serial_port.ADVICE[errno.EACCES]


def test_without_pyserial_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "find_spec", lambda name: None)
    with pytest.raises(BridgeError, match=r"need pyserial; pip install 'respire-edge\[serial\]'"):
        require_pyserial(URI)
