"""A simulated device's end of a transport: what connects to, sends to or stands in for a port of the host."""

from __future__ import annotations

import os
import pty
import select
import socket
import tty
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

RETRY_S = 0.5
READ_BYTES = 1 << 16


class DeviceEnd(Protocol):
    """Where a simulated device's bytes go."""

    name: str
    """What the host opens to hear it."""

    @abstractmethod
    def send(self, data: bytes) -> bool:
        """Whether the bytes went out; a device does not wait for somebody to listen."""

    @abstractmethod
    def receive(self) -> bytes:
        """What the host has said since; empty where nothing."""

    @abstractmethod
    def close(self) -> None:
        """May be called twice."""


class PtyEnd(DeviceEnd):
    """The other side of a pseudo-terminal, which a host opens as a serial port."""

    def __init__(self) -> None:
        self._device, self._port = pty.openpty()
        tty.setraw(self._port)
        os.set_blocking(self._device, False)
        self.name = f"serial://{os.ttyname(self._port)}"
        self._open = True

    def send(self, data: bytes) -> bool:
        try:
            return os.write(self._device, data) == len(data)
        except BlockingIOError:
            return False

    def receive(self) -> bytes:
        try:
            return os.read(self._device, READ_BYTES)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._device)
            os.close(self._port)


class TcpEnd(DeviceEnd):
    """Connects to a host that listens, again and again until it does."""

    def __init__(self, host: str, port: int, clock: Callable[[], float]) -> None:
        self.name = f"tcp://{host}:{port}"
        self._address, self._clock = (host, port), clock
        self._socket: socket.socket | None = None
        self._tried_s = -RETRY_S

    def send(self, data: bytes) -> bool:
        host = self._maybe_host()
        if host is None:
            return False
        try:
            host.sendall(data)
        except OSError:
            self._hang_up()
            return False
        return True

    def receive(self) -> bytes:
        host = self._maybe_host()
        if host is None or not select.select([host], [], [], 0)[0]:
            return b""
        try:
            data = host.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def close(self) -> None:
        self._hang_up()

    def _maybe_host(self) -> socket.socket | None:
        if self._socket is None and self._clock() - self._tried_s >= RETRY_S:
            self._tried_s = self._clock()
            with suppress(OSError):
                self._socket = socket.create_connection(self._address, timeout=1.0)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class UdpEnd(DeviceEnd):
    """Sends datagrams to a host, whether it listens or not."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"udp://{host}:{port}"
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._address: Any = address
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)

    def send(self, data: bytes) -> bool:
        try:
            return self._socket.sendto(data, self._address) == len(data)
        except OSError:  # nobody listens, or its buffer is full
            return False

    def receive(self) -> bytes:
        received = b""
        while len(received) < READ_BYTES:
            try:
                received += self._socket.recv(READ_BYTES)
            except OSError:
                break
        return received

    def close(self) -> None:
        self._socket.close()
