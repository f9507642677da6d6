"""A terminal that is left as it was found, by signals too: those that end the program and those that suspend it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Those that end Python without unwinding; SIGINT raises KeyboardInterrupt."""


@contextmanager
def shown_again_by_signals(restore: Callable[[], None], resume: Callable[[], None]) -> Iterator[None]:
    """Call `restore` before a signal ends or suspends the program, and `resume` when it goes on.

    A signal that someone handles or ignores already stays theirs. Does nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def suspend(number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, suspend)
        resume()

    handlers = {**dict.fromkeys(ENDING, end), signal.SIGTSTP: suspend}
    ours = [number for number in handlers if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
