"""Ending a run that has no end of its own: the first SIGINT or SIGTERM asks, the next one ends the program at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """A function that says whether someone has asked to stop since this began. To be used in the main thread only."""
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    asked = False

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        restore()

    for number in STOP_SIGNALS:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        restore()
