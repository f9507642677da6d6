"""Datagrams of a device, on real sockets of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from firmware_bridge.errors import TransportError
from firmware_bridge.frame import MAX_STUFFED_BYTES, Frame, FrameDecoder, encode_frame
from firmware_bridge.transports.sockets import SILENT_S
from firmware_bridge.transports.udp import UdpTransport

WAIT_S = 5.0
LARGEST_DATAGRAM_BYTES = 65507


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def transport(clock: Clock) -> Iterator[UdpTransport]:
    transport = UdpTransport("udp://:9000", "", 0, clock)
    yield transport
    transport.close()


@pytest.fixture
def device(transport: UdpTransport) -> Iterator[socket.socket]:
    with sender_to(transport) as sender:
        yield sender


def sender_to(transport: UdpTransport) -> socket.socket:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.settimeout(WAIT_S)
    sender.connect(("127.0.0.1", transport.port))
    return sender


def test_a_sender_is_answered(transport: UdpTransport, device: socket.socket) -> None:
    device.send(b"sound")
    assert transport.read(WAIT_S) == b"sound"
    transport.write(b"result")
    assert device.recv(100) == b"result"


def test_the_first_datagram_is_answered_with_what_was_said_last(transport: UdpTransport, device: socket.socket) -> None:
    transport.write(b"hello")
    device.send(b"\0")
    transport.read(WAIT_S)
    assert device.recv(100) == b"hello"


def test_another_sender_is_dropped_while_the_first_speaks_and_heard_afterwards(
    transport: UdpTransport, device: socket.socket, clock: Clock
) -> None:
    device.send(b"one")
    transport.read(WAIT_S)
    with sender_to(transport) as other:
        other.send(b"two")
        assert transport.read(WAIT_S) == b""
        clock.now_s += SILENT_S
        other.send(b"three")
        assert transport.read(WAIT_S) == b"three"
        transport.write(b"result")
        assert other.recv(100) == b"result"


def test_only_this_machine_can_send_unless_told_otherwise(transport: UdpTransport, clock: Clock) -> None:
    assert transport._socket.getsockname()[0] == "127.0.0.1"
    everywhere = UdpTransport("udp://0.0.0.0:9000", "0.0.0.0", 0, clock)
    assert everywhere._socket.getsockname()[0] == "0.0.0.0"
    everywhere.close()


def test_the_largest_datagram_arrives_whole(transport: UdpTransport, device: socket.socket) -> None:
    frame = encode_frame(Frame(0x42, payload=b"\x42" * 1024))
    datagram = frame * (LARGEST_DATAGRAM_BYTES // len(frame))
    device.send(datagram)
    decoder = FrameDecoder()
    assert len(decoder.feed(transport.read(WAIT_S))) == len(datagram) // len(frame)


def test_an_oversize_datagram_of_rubbish_costs_nothing_but_itself(
    transport: UdpTransport, device: socket.socket
) -> None:
    decoder = FrameDecoder()
    device.send(b"\x01" * LARGEST_DATAGRAM_BYTES)
    assert decoder.feed(transport.read(WAIT_S)) == []
    assert len(decoder._held) <= MAX_STUFFED_BYTES
    device.send(b"\0" + encode_frame(Frame(0x42)))
    assert len(decoder.feed(transport.read(WAIT_S))) == 1


def test_a_device_that_went_away_is_no_failure_of_the_port(transport: UdpTransport, device: socket.socket) -> None:
    device.send(b"sound")
    transport.read(WAIT_S)
    device.close()
    for _ in range(3):
        transport.write(b"ping")
        assert transport.read(0.01) == b""


def test_a_port_in_use_is_one_clear_line(transport: UdpTransport, clock: Clock) -> None:
    with pytest.raises(TransportError, match=r"udp://:1: cannot listen there \(Address already in use\)"):
        UdpTransport("udp://:1", "", transport.port, clock)


def test_an_address_of_another_machine_is_one_clear_line(clock: Clock) -> None:
    with pytest.raises(TransportError, match=r"udp://192.0.2.1:9: cannot listen there"):
        UdpTransport("udp://192.0.2.1:9", "192.0.2.1", 9000, clock)
