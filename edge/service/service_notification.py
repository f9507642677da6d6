"""Telling the service manager that started this process how it is, so that one that hangs is started again.

One datagram of `NAME=value` lines to the Unix socket that $NOTIFY_SOCKET names: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from edge.errors import UsageError

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"
WATCHDOG_PROCESS_VARIABLE = "WATCHDOG_PID"


class ServiceManager:
    """Takes notifications; one that cannot be delivered is dropped, since listening matters more than saying so."""

    def __init__(self, address: str) -> None:
        """`address`: a path, or "@NAME" for an abstract socket."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # A manager that does not read must not hold up the loop: its queue is full after some datagrams.
        self._socket.setblocking(False)

    def tell(self, *assignments: str) -> None:
        """Send assignments such as "READY=1" as one message."""
        message = "\n".join(assignment.replace("\n", " ") for assignment in assignments)
        with suppress(OSError):
            self._socket.sendto(message.encode(), self._address)

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()


def maybe_service_manager(environ: Mapping[str, str]) -> ServiceManager | None:
    """Who wants to be told; None where nobody does, or at an address of another kind than a Unix socket's."""
    address = environ.get(SOCKET_VARIABLE, "")
    return ServiceManager(address) if address.startswith(("/", "@")) and len(address) > 1 else None


def maybe_watchdog_s(environ: Mapping[str, str], process_id: int | None = None) -> float | None:
    """After how long without "WATCHDOG=1" the service manager ends process `process_id`, by default this one.

    None where it does not. Raises UsageError where the variable is no number of microseconds.
    """
    if not (text := environ.get(WATCHDOG_VARIABLE)):
        return None
    if environ.get(WATCHDOG_PROCESS_VARIABLE, own := str(process_id or os.getpid())) != own:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise UsageError(f"{WATCHDOG_VARIABLE}={text}: not a number of microseconds above 0; unset it")
    return int(text) / 1e6
