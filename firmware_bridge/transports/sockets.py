"""What TCP and UDP have in common: where to listen, and how long a peer that is silent keeps its place."""

from __future__ import annotations

import socket

from firmware_bridge.errors import TransportError

LOOPBACK = "127.0.0.1"
MAX_READ_BYTES = 1 << 16
"""In one go: whoever sends without end is not read faster than somebody asks. No datagram is longer."""
WRITE_S = 0.5
"""A peer that takes nothing for so long is gone; whoever listens has other things to do."""
SILENT_S = 1.0
"""Of a peer that has said nothing for so long another one may take the place. A device that streams says something
every 40 ms.
"""


def bound_socket(name: str, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A socket bound to `host`, that of this machine alone where it is empty. Raises TransportError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host or LOOPBACK, port, type=kind, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise TransportError(f"{name}: {error.strerror or error}; give an address of this machine") from error
    try:
        if kind == socket.SOCK_STREAM:
            # Connections of before that wait for their end do not keep the port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise TransportError(
            f"{name}: cannot listen there ({error.strerror or error}); give a free port and an address of this machine"
        ) from error
    return bound
