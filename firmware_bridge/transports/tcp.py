"""A device that connects over TCP; the host listens, as a device finds a host more easily than the other way round."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from firmware_bridge.errors import TransportError
from firmware_bridge.transports.sockets import MAX_READ_BYTES, SILENT_S, WRITE_S, bound_socket
from firmware_bridge.transports.transport import Transport


class TcpTransport(Transport):
    """Listens for one device at a time.

    A second one is turned away while the first says something. One that connects and says nothing gives way to the
    next.
    """

    def __init__(self, name: str, host: str, port: int, clock: Callable[[], float]) -> None:
        """`host`: empty for this machine alone; `port`: 0 for any that is free. Raises TransportError."""
        self.name = name
        self._clock = clock
        self._device: socket.socket | None = None
        self._heard_s = 0.0
        self._has_spoken = False
        self._greeting = b""
        self._listener = bound_socket(name, host, port, socket.SOCK_STREAM)
        self._listener.listen(1)
        self._listener.setblocking(False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def read(self, timeout_s: float) -> bytes:
        waiting = [self._listener, *filter(None, [self._device])]
        ready, _, _ = select.select(waiting, [], [], timeout_s)
        data = self._received() if self._device in ready else b""
        if self._listener in ready:
            self._accept()
        return data

    def write(self, data: bytes) -> None:
        """Where nobody is connected, only the latest is kept, for the one that comes."""
        if self._device is None:
            self._greeting = data
            return
        try:
            self._device.sendall(data)
        except OSError as error:
            raise TransportError(f"{self.name}: the device takes nothing any more ({error})") from error

    def close(self) -> None:
        self._drop()
        self._listener.close()

    def _received(self) -> bytes:
        assert self._device is not None
        try:
            data = self._device.recv(MAX_READ_BYTES)
        except OSError as error:
            raise TransportError(f"{self.name}: the connection failed ({error.strerror or error})") from error
        if data:
            self._heard_s, self._has_spoken = self._clock(), True
        elif self._has_spoken:
            raise TransportError(f"{self.name}: the device closed the connection")
        else:
            self._drop()
        return data

    def _accept(self) -> None:
        """Take the device that connects, unless another one is there."""
        try:
            device, _ = self._listener.accept()
        except OSError:  # it is gone again
            return
        if self._device is not None and self._clock() - self._heard_s < SILENT_S:
            device.close()
        elif self._device is not None and self._has_spoken:
            device.close()  # and comes back to the one that is opened next, which greets it
            raise TransportError(f"{self.name}: another device connects, and this one says nothing")
        else:
            self._drop()
            self._take(device)

    def _take(self, device: socket.socket) -> None:
        device.settimeout(WRITE_S)
        device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._device, self._heard_s, self._has_spoken = device, self._clock(), False
        if self._greeting:
            self.write(self._greeting)

    def _drop(self) -> None:
        if self._device is not None:
            self._device.close()
            self._device = None
