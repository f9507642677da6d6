"""How far a long job has come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TextIO

from edge.view.screen import Screen
from edge.view.terminal import Line, bar, is_terminal

REDRAW_S = 0.1
"""A progress line changes no more often than one can read."""
BAR_WIDTH = 30


class Progress:
    """How far a job of `total` parts has come: a bar on a terminal, nothing anywhere else."""

    def __init__(self, stream: TextIO, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = Screen(stream) if is_terminal(stream) else None
        self._encoding = stream.encoding
        self._total = total
        self._done = 0
        self._clock = clock
        self._begin_s = clock()
        self._drawn_s = -math.inf

    def advance(self) -> None:
        """One more part is done."""
        self._done += 1
        now_s = self._clock()
        if self._screen is not None and now_s - self._drawn_s >= REDRAW_S:
            self._drawn_s = now_s
            self._screen.draw([Line(self._text(now_s - self._begin_s))])

    def erase(self) -> None:
        """Remove the bar before other lines are written; the next `advance` draws it again."""
        if self._screen is not None:
            self._screen.erase()
            self._drawn_s = -math.inf

    def _text(self, spent_s: float) -> str:
        left_s = spent_s / self._done * (self._total - self._done)
        share = bar(self._done / self._total, BAR_WIDTH, self._encoding)
        return f"{share} {self._done}/{self._total} files, about {left_s:.0f} s left"
