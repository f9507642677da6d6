"""How far TensorRT's builder has come: a line drawn in place on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from edge.view.progress import BAR_WIDTH, REDRAW_S
from edge.view.screen import Screen
from edge.view.terminal import Line, bar, is_terminal

PIPED_EVERY_S = 10.0
"""Often enough to see in a log that it goes on; a build takes minutes on a small Jetson."""


@dataclass
class _Phase:
    steps: int
    done: int = 0

    @property
    def share(self) -> float:
        return self.done / max(self.steps, 1)


class BuildProgress:
    """The phases that the builder is in, one within the other. May be told of them from several threads."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._screen = Screen(stream) if is_terminal(stream) else None
        self._clock = clock
        self._begin_s = clock()
        self._shown_s = -math.inf
        self._phases: dict[str, _Phase] = {}
        self._lock = threading.Lock()

    def start(self, phase: str, steps: int) -> None:
        """A phase of `steps` begins, within those that are under way."""
        with self._lock:
            self._phases[phase] = _Phase(steps)
            self._show()

    def step(self, phase: str, step: int) -> None:
        """The phase has completed its step `step`, counted from 0."""
        with self._lock:
            if phase in self._phases:
                self._phases[phase].done = step + 1
            self._show()

    def finish(self, phase: str) -> None:
        """The phase is over, whether or not all its steps were done."""
        with self._lock:
            self._phases.pop(phase, None)

    def erase(self) -> None:
        """Remove the line before other text is written."""
        with self._lock, suppress(OSError, ValueError):
            if self._screen is not None:
                self._screen.erase()

    def _show(self) -> None:
        now_s = self._clock()
        if now_s - self._shown_s < (PIPED_EVERY_S if self._screen is None else REDRAW_S):
            return
        self._shown_s = now_s
        # Nobody may be there to read any more; that is no reason to fail the build.
        with suppress(OSError, ValueError):
            if self._screen is not None:
                self._screen.draw([Line(self._text(now_s - self._begin_s))])
            else:
                print(f"build_engine: {self._text(now_s - self._begin_s)}", file=self._stream, flush=True)

    def _text(self, spent_s: float) -> str:
        outermost, *inner = self._phases.items() or [("starting", _Phase(1))]
        shown = bar(outermost[1].share, BAR_WIDTH, self._stream.encoding) + " " if self._screen is not None else ""
        names = " / ".join(f"{name} {phase.done}/{phase.steps}" for name, phase in (outermost, *inner[-1:]))
        return f"{shown}{spent_s:.0f} s: {names}"
