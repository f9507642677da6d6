"""Listening for a device over TCP, on real sockets of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from firmware_bridge.errors import TransportError
from firmware_bridge.transports.sockets import MAX_READ_BYTES, SILENT_S
from firmware_bridge.transports.tcp import TcpTransport

WAIT_S = 5.0


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def transport(clock: Clock) -> Iterator[TcpTransport]:
    transport = TcpTransport("tcp://:9000", "", 0, clock)
    yield transport
    transport.close()


def device_at(transport: TcpTransport) -> socket.socket:
    return socket.create_connection(("127.0.0.1", transport.port), timeout=WAIT_S)


def test_bytes_go_both_ways(transport: TcpTransport) -> None:
    with device_at(transport) as device:
        assert transport.read(WAIT_S) == b""
        device.sendall(b"sound")
        assert transport.read(WAIT_S) == b"sound"
        transport.write(b"result")
        assert device.recv(100) == b"result"


def test_a_device_that_connects_hears_what_was_said_last(transport: TcpTransport) -> None:
    transport.write(b"hello")
    transport.write(b"hello again")
    with device_at(transport) as device:
        transport.read(WAIT_S)
        assert device.recv(100) == b"hello again"


def test_nothing_comes_where_nobody_connects(transport: TcpTransport) -> None:
    assert transport.read(0.01) == b""


def test_only_this_machine_can_connect_unless_told_otherwise(transport: TcpTransport, clock: Clock) -> None:
    assert transport._listener.getsockname()[0] == "127.0.0.1"
    everywhere = TcpTransport("tcp://0.0.0.0:9000", "0.0.0.0", 0, clock)
    assert everywhere._listener.getsockname()[0] == "0.0.0.0"
    everywhere.close()


def test_a_device_that_hangs_up_is_gone(transport: TcpTransport) -> None:
    with device_at(transport) as device:
        transport.read(WAIT_S)
        device.sendall(b"sound")
        transport.read(WAIT_S)
    with pytest.raises(TransportError, match="tcp://:9000: the device closed the connection"):
        transport.read(WAIT_S)


def test_whoever_connects_and_says_nothing_leaves_room_for_the_next(transport: TcpTransport) -> None:
    for _ in range(20):
        device_at(transport).close()
        transport.read(WAIT_S)
        transport.read(WAIT_S)
    with device_at(transport) as device:
        transport.read(WAIT_S)
        device.sendall(b"sound")
        assert transport.read(WAIT_S) == b"sound"


def test_a_second_device_is_turned_away_while_the_first_speaks(transport: TcpTransport) -> None:
    with device_at(transport) as first:
        transport.read(WAIT_S)
        with device_at(transport) as second:
            transport.read(WAIT_S)
            assert second.recv(100) == b""
        first.sendall(b"sound")
        assert transport.read(WAIT_S) == b"sound"


def test_a_connection_that_never_spoke_gives_way_to_a_new_one(transport: TcpTransport, clock: Clock) -> None:
    with device_at(transport):
        transport.read(WAIT_S)
        clock.now_s += SILENT_S
        with device_at(transport) as second:
            transport.read(WAIT_S)
            second.sendall(b"sound")
            assert transport.read(WAIT_S) == b"sound"


def test_a_dead_connection_ends_where_a_device_connects_anew(transport: TcpTransport, clock: Clock) -> None:
    with device_at(transport) as first:
        transport.read(WAIT_S)
        first.sendall(b"sound")
        transport.read(WAIT_S)
        clock.now_s += SILENT_S
        with device_at(transport), pytest.raises(TransportError, match="another device connects"):
            transport.read(WAIT_S)


def test_a_device_that_reads_nothing_fails_soon(transport: TcpTransport) -> None:
    with device_at(transport):
        transport.read(WAIT_S)
        with pytest.raises(TransportError, match="takes nothing any more"):
            transport.write(bytes(1 << 26))


def test_an_endless_sender_is_read_in_bounded_pieces(transport: TcpTransport) -> None:
    with device_at(transport) as device:
        transport.read(WAIT_S)
        device.setblocking(False)
        sent = device.send(bytes(8 << 20))
        received = 0
        while received < sent:
            piece = transport.read(WAIT_S)
            assert 0 < len(piece) <= MAX_READ_BYTES
            received += len(piece)


def test_a_port_in_use_is_one_clear_line(transport: TcpTransport, clock: Clock) -> None:
    with pytest.raises(TransportError, match=r"tcp://:1: cannot listen there \(Address already in use\); give a free"):
        TcpTransport("tcp://:1", "", transport.port, clock)


def test_a_port_is_free_again_once_closed(transport: TcpTransport, clock: Clock) -> None:
    with device_at(transport):
        transport.read(WAIT_S)
        port = transport.port
        transport.close()
        transport.close()
    TcpTransport("tcp://:9000", "", port, clock).close()
