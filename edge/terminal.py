"""Drawing on a terminal with plain escape codes: lines that are drawn again in place, bars, a progress line."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

BOLD, DIM, YELLOW, RED = "1", "2", "33", "31"
"""Select Graphic Rendition codes, ECMA-48 section 8.3.117."""
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
ERASE_TO_END = "\x1b[J"
REDRAW_S = 0.1
"""A progress line changes no more often than one can read."""
BAR_WIDTH = 30


@dataclass(frozen=True)
class Line:
    """One line of text in one style."""

    text: str = ""
    style: str = ""


def is_terminal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` can be drawn on, and not only written to."""
    return stream.isatty() and environ.get("TERM") != "dumb"


def bar(share: float, width: int, encoding: str | None) -> str:
    """A bar `width` wide, filled to `share`, which is brought into 0 to 1; of # where `encoding` has no block."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    full = "█" if (encoding or "").lower().replace("-", "").startswith("utf") else "#"
    return f"[{full * filled}{' ' * (width - filled)}]"


def shown_text(text: str, encoding: str | None) -> str:
    """`text` with ? for what a terminal would obey instead of show, and for what `encoding` cannot write."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable.encode(encoding or "ascii", "replace").decode(encoding or "ascii")


class Screen:
    """Lines at the cursor that are drawn again in place; as a context manager it hides the cursor meanwhile."""

    def __init__(
        self,
        stream: TextIO,
        size: Callable[[], os.terminal_size] = shutil.get_terminal_size,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`size` gives columns and rows; with NO_COLOR in `environ` no styles are used (no-color.org)."""
        self._stream = stream
        self._size = size
        self._styled = not environ.get("NO_COLOR")
        self._drawn = 0

    def __enter__(self) -> Screen:
        self._stream.write(HIDE_CURSOR)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.write(SHOW_CURSOR)
        self._stream.flush()

    def draw(self, lines: Sequence[Line]) -> None:
        """Replace what was drawn before; what does not fit on the terminal is cut off."""
        columns, rows = self._size()
        fitting = [self._format(line, columns - 1) for line in lines[: rows - 1]]
        self._stream.write(self._back_to_top() + "".join(f"{text}\n" for text in fitting))
        self._stream.flush()
        self._drawn = len(fitting)

    def erase(self) -> None:
        """Remove what was drawn, so that other text can be written in its place."""
        self._stream.write(self._back_to_top())
        self._stream.flush()
        self._drawn = 0

    def _back_to_top(self) -> str:
        return (f"\x1b[{self._drawn}A\r" if self._drawn else "\r") + ERASE_TO_END

    def _format(self, line: Line, columns: int) -> str:
        text = shown_text(line.text, self._stream.encoding)[: max(columns, 1)]
        return f"\x1b[{line.style}m{text}\x1b[0m" if line.style and self._styled else text


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
