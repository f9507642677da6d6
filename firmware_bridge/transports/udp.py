"""A device that sends datagrams; answers go to where the latest of them came from."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

from firmware_bridge.errors import TransportError
from firmware_bridge.transports.sockets import MAX_READ_BYTES, SILENT_S, WRITE_S, bound_socket
from firmware_bridge.transports.transport import Transport


class UdpTransport(Transport):
    """Listens to one sender at a time: datagrams of others are dropped while it says something."""

    def __init__(self, name: str, host: str, port: int, clock: Callable[[], float]) -> None:
        """`host`: empty for this machine alone; `port`: 0 for any that is free. Raises TransportError."""
        self.name = name
        self._clock = clock
        self._peer: Any = None
        self._heard_s = 0.0
        self._greeting = b""
        self._socket = bound_socket(name, host, port, socket.SOCK_DGRAM)
        self._socket.settimeout(WRITE_S)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def read(self, timeout_s: float) -> bytes:
        """One datagram; empty, too, for one of another sender."""
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return b""
        try:
            data, sender = self._socket.recvfrom(MAX_READ_BYTES)
        except ConnectionError:  # what was sent there found nobody
            return b""
        except OSError as error:
            raise TransportError(f"{self.name}: {error.strerror or error}") from error
        return data if self._is_heard(sender) else b""

    def write(self, data: bytes) -> None:
        """Where nobody has been heard, only the latest is kept, for the one that comes."""
        if self._peer is None:
            self._greeting = data
            return
        try:
            self._socket.sendto(data, self._peer)
        except ConnectionError:  # an earlier datagram found nobody; the session's silence says when that is too long
            pass
        except OSError as error:
            raise TransportError(f"{self.name}: cannot send to the device ({error.strerror or error})") from error

    def close(self) -> None:
        self._socket.close()

    def _is_heard(self, sender: Any) -> bool:
        now_s = self._clock()
        if self._peer not in (None, sender) and now_s - self._heard_s < SILENT_S:
            return False
        is_new, self._peer, self._heard_s = self._peer is None, sender, now_s
        if is_new and self._greeting:
            self.write(self._greeting)
        return True
