"""What carries bytes to and from a device."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class Transport(Protocol):
    """One open way to a device; what it carries is cut anywhere."""

    name: str
    """Its URI, as shown to people."""

    @abstractmethod
    def read(self, timeout_s: float) -> bytes:
        """What arrived, at most after `timeout_s`; empty where nothing came. Raises TransportError when it is gone."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of it, within about a second. Raises TransportError."""

    @abstractmethod
    def close(self) -> None:
        """Release the port. May be called twice."""
