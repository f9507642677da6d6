"""Ending a run that has no end of its own: the first SIGINT or SIGTERM asks, the next one ends the program at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Called, it says whether someone has asked to stop; any thread may ask it."""

    def __init__(self) -> None:
        self.signal_number = 0
        """Which signal asked first."""

    def __call__(self) -> bool:
        return self.signal_number != 0


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Whether someone has asked to stop since this began. To be used in the main thread only."""
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    request = StopRequest()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def ask(number: int, _frame: FrameType | None) -> None:
        request.signal_number = number
        restore()

    for number in STOP_SIGNALS:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()
