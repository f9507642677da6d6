"""A device at a serial port: a UART behind an adapter, or USB's own (pyserial)."""

from __future__ import annotations

import errno
import os
from importlib.util import find_spec
from typing import Any

from firmware_bridge.errors import BridgeError, TransportError
from firmware_bridge.transports.transport import Transport

DEFAULT_BAUD = 115200
"""Enough for 4 kHz of PCM16 (PROTOCOL.md, section 10); USB's own ports do not care."""
MAX_READ_BYTES = 1 << 14
WRITE_S = 0.5
ADVICE = {
    errno.ENOENT: "plug the device in; `ls /dev/serial/by-id` lists what is there",
    errno.EACCES: "let this user open it: sudo usermod -aG dialout $USER, and log in again",
    errno.EBUSY: "end the other program that uses it",
    errno.EAGAIN: "end the other program that uses it",
    errno.ENOTTY: "it is no serial port",
}


class SerialTransport(Transport):
    """One port, raw (8N1, no flow control), which no other program that asks for it alone opens meanwhile."""

    def __init__(self, name: str, path: str, baud: int = DEFAULT_BAUD) -> None:
        """Raises TransportError."""
        self.name = name
        self._port: Any = _opened_port(name, path, baud)

    def read(self, timeout_s: float) -> bytes:
        try:
            if self._port.timeout != timeout_s:
                self._port.timeout = timeout_s
            first: bytes = self._port.read(1)
            # The rest does not wait: it is there already.
            return first + self._port.read(min(self._port.in_waiting, MAX_READ_BYTES)) if first else b""
        except OSError as error:
            raise TransportError(f"{self.name}: the port is gone ({_reason(error)})") from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise TransportError(f"{self.name}: the device takes nothing any more ({_reason(error)})") from error

    def close(self) -> None:
        self._port.close()


def require_pyserial(name: str) -> None:
    """Raises BridgeError where it is not installed."""
    if find_spec("serial") is None:
        raise BridgeError(f"{name}: serial ports need pyserial; pip install 'respire-edge[serial]'")


def _opened_port(name: str, path: str, baud: int) -> Any:
    require_pyserial(name)
    import serial

    try:
        return serial.Serial(path, baud, exclusive=True, timeout=0, write_timeout=WRITE_S)
    except OSError as error:
        advice = ADVICE.get(_errno(error), "see whether it is a serial port that works")
        raise TransportError(f"{name}: cannot open the port ({_reason(error)}); {advice}") from error
    except ValueError as error:  # a baud rate that the port's driver does not know
        raise TransportError(f"{name}: {error}; try another ?baud=") from error


def _errno(error: OSError) -> int:
    """The system's number; pyserial wraps its errors in others, which may lack it."""
    inner = error.__context__
    return error.errno or (inner.errno if isinstance(inner, OSError) else None) or 0


def _reason(error: OSError) -> str:
    number = _errno(error)
    return os.strerror(number) if number else " ".join(str(error).split())
