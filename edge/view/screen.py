"""Lines drawn in place on a terminal, of which only what changes is sent: made for a slow line, such as SSH over 4G."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TextIO

from edge.view.terminal import Cell, Line, shown_text
from edge.view.terminal_signals import shown_again_by_signals

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
HOME, ERASE_BELOW, ERASE_TO_END_OF_LINE = "\x1b[H", "\x1b[J", "\x1b[K"
SHORTEST_JUMP_CELLS = 6
"""Fewer unchanged cells than that are sent again: a jump over them would take as many bytes."""
LONGEST_PIECE_CELLS = 70
"""What is sent at once: under 2 kB where each cell has two colours of its own."""
BYTES_A_DRAWING = 2000
"""A drawing on 80 columns seldom needs more than 200; a new picture of 200 columns is whole after two seconds."""
BLANK: Cell = (" ", "")

Row = tuple[Cell, ...]


class Screen:
    """Lines at the cursor that are drawn again in place; as a context manager it hides the cursor meanwhile.

    The cursor is shown again whatever ends the program, SIGKILL excepted, and while it is suspended.
    """

    def __init__(
        self,
        stream: TextIO,
        size: Callable[[], os.terminal_size] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`size` gives columns and rows; with NO_COLOR in `environ` no styles are used (no-color.org)."""
        self._stream = stream
        self._size = size or (lambda: _size_of(stream))
        self._styled = not environ.get("NO_COLOR")
        self._drawn: list[Row] = []
        self._drawn_size: os.terminal_size | None = None
        self._gone = False
        self._signals = shown_again_by_signals(lambda: self._at_once(SHOW_CURSOR), self._after_suspension)

    def __enter__(self) -> Screen:
        self._signals.__enter__()
        self._write(HIDE_CURSOR)
        return self

    def __exit__(self, *_: object) -> None:
        self._write(SHOW_CURSOR)
        self._signals.__exit__(None, None, None)

    @property
    def columns(self) -> int:
        """How wide a line may be: the last column stays free, where some terminals would begin a new line."""
        return max(self._size().columns - 1, 1)

    @property
    def rows(self) -> int:
        """How many lines there may be; the cursor waits below them."""
        return max(self._size().lines - 1, 1)

    def draw(self, lines: Sequence[Line], bytes_at_most: int | None = BYTES_A_DRAWING) -> None:
        """Replace what was drawn before; what does not fit on the terminal is cut off.

        Where more has changed than `bytes_at_most` can tell, the next drawings do the rest, a piece each at least.
        """
        size = self._size()
        begin = ""
        if self._drawn_size not in (None, size):
            # A terminal wraps lines anew when its width changes: nobody knows where they are.
            begin, self._drawn = HOME + ERASE_BELOW, []
        self._drawn_size = size
        wanted = [_cells(line, self._stream.encoding, self.columns) for line in lines[: self.rows]]
        self._write(begin + self._changes(wanted, bytes_at_most))

    def erase(self) -> None:
        """Remove what was drawn, so that other text can be written in its place."""
        self.draw([])

    def _changes(self, wanted: Sequence[Row], bytes_at_most: int | None) -> str:
        """What to send, with the cursor, before and after, at the beginning of the line below the last one."""
        pen = _Pen(len(self._drawn), bytes_at_most)
        for row, cells in enumerate(wanted):
            if row == len(self._drawn):
                self._drawn.append(())
            for first, end in _differences(self._drawn[row], cells):
                if pen.send_at(row, first, _styled(cells[first:end], self._styled)):
                    self._drawn[row] = _replaced(self._drawn[row], first, cells[first:end])
            if len(self._drawn[row]) > len(cells) and pen.send_at(row, len(cells), ERASE_TO_END_OF_LINE):
                self._drawn[row] = self._drawn[row][: len(cells)]
        pen.go_to(len(wanted), 0)
        if len(self._drawn) > len(wanted):
            pen.send(ERASE_BELOW)
            del self._drawn[len(wanted) :]
        return pen.text

    def _write(self, text: str) -> None:
        """Write, unless the terminal has gone away: whoever listens without one goes on."""
        if not self._gone:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:
                self._gone = True

    def _at_once(self, text: str) -> None:
        """Write past the buffer, which a signal may have interrupted."""
        with suppress(OSError):
            os.write(self._stream.fileno(), text.encode())

    def _after_suspension(self) -> None:
        self._at_once(HIDE_CURSOR)
        self._drawn_size = os.terminal_size((0, 0))


class _Pen:
    """A cursor that moves by escape codes, relative to the line where it began."""

    def __init__(self, row: int, bytes_at_most: int | None) -> None:
        self._row = row
        self._bytes_at_most = bytes_at_most
        self._sent_bytes = 0
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def send(self, text: str) -> None:
        self._pieces.append(text)
        self._sent_bytes += _size_bytes(text)

    def send_at(self, row: int, column: int, text: str) -> bool:
        """Send what fits, and the first piece in any case; whether it was sent."""
        full = self._bytes_at_most is not None and self._sent_bytes + _size_bytes(text) > self._bytes_at_most
        if full and self._sent_bytes:
            return False
        self.go_to(row, column)
        self.send(text)
        return True

    def go_to(self, row: int, column: int) -> None:
        """A line feed goes down: at the bottom of the terminal it also makes room."""
        rows_up = self._row - row
        vertical = f"\x1b[{rows_up}A" if rows_up > 0 else "\n" * -rows_up
        self._row = row
        self.send(f"{vertical}\r" + (f"\x1b[{column}C" if column else ""))


def _size_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _styled(cells: Sequence[Cell], styled: bool) -> str:
    pieces, style = [], ""
    for character, cell_style in cells:
        if styled and cell_style != style:
            pieces.append(f"\x1b[0;{cell_style}m" if cell_style else "\x1b[0m")
            style = cell_style
        pieces.append(character)
    return "".join(pieces) + ("\x1b[0m" if style else "")


@lru_cache(maxsize=256)
def _cells(line: Line, encoding: str | None, columns: int) -> Row:
    """What a line puts into each column; a wide character's second column is empty. Blanks at the end are left out."""
    cells: list[Cell] = []
    for character in shown_text(line.text, encoding):
        width = _width(character)
        if width == 0:
            continue
        if len(cells) + width > columns:
            break
        cells += [(character, line.style)] + [("", line.style)] * (width - 1)
    cells += line.cells[: columns - len(cells)]
    while cells and cells[-1] == BLANK:
        cells.pop()
    return tuple(cells)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _differences(drawn: Row, wanted: Row) -> Iterator[tuple[int, int]]:
    """The stretches of columns that have to be sent, first and end."""
    if drawn == wanted:
        return
    first = end = -SHORTEST_JUMP_CELLS - 1
    for column, cell in enumerate(wanted):
        if column < len(drawn) and drawn[column] == cell:
            continue
        if column - end > SHORTEST_JUMP_CELLS or column - first >= LONGEST_PIECE_CELLS:
            if end > first:
                yield first, end
            first = column
        end = column + 1
    if end > first:
        yield first, end


def _replaced(row: Row, first: int, cells: Sequence[Cell]) -> Row:
    filled = row + (BLANK,) * (first - len(row))
    return (*filled[:first], *cells, *filled[first + len(cells) :])


def _size_of(stream: TextIO) -> os.terminal_size:
    """The terminal's own size, asked each time, or what COLUMNS and LINES say where it does not know."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return shutil.get_terminal_size()
    return size if size.columns > 0 and size.lines > 0 else shutil.get_terminal_size()
