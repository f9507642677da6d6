"""Drawing in place: what a terminal of any size shows afterwards, and how little is sent for it."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.view.screen import BYTES_A_DRAWING, Screen
from edge.view.terminal import BOLD, RED, Line


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal and keeps what is written to it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding=encoding, newline="")

    def isatty(self) -> bool:
        return True

    def taken(self) -> str:
        """What was written since this was asked last."""
        self.flush()
        text = self.kept.getvalue().decode(self.encoding)
        self.kept.seek(0)
        self.kept.truncate()
        return text


def screen(terminal: Terminal, columns: int = 80, rows: int = 24, environ: dict[str, str] | None = None) -> Screen:
    return Screen(terminal, lambda: os.terminal_size((columns, rows)), environ or {})


texts = st.text(st.sampled_from("abc █é漢\x1b\n\x9b\u0301\u202e"), max_size=30)
cells = st.lists(st.tuples(st.sampled_from("▀ x"), st.sampled_from(["", "38;5;16;48;5;17", "2"])), max_size=20)
lines = st.builds(Line, texts, st.sampled_from(["", BOLD, RED]), cells.map(tuple))
pictures = st.lists(lines, max_size=8)


def expected(picture: list[Line], columns: int, rows: int) -> list[str]:
    """The lines as plain text, worked out the slow way."""
    shown = []
    for line in picture[: rows - 1]:
        text = ""
        for character in line.text:
            character = character if character.isprintable() else "?"
            width = {"漢": 2, "\u0301": 0}.get(character, 1)
            if width == 0:
                continue
            if columns_of(text) + width > columns - 1:
                break
            text += character
        text += "".join(character for character, _ in line.cells[: columns - 1 - columns_of(text)])
        shown.append(text.rstrip())
    while shown and not shown[-1]:
        shown.pop()
    return shown


def columns_of(text: str) -> int:
    return len(text) + text.count("漢")


@settings(max_examples=40, deadline=None)
@given(st.lists(pictures, max_size=6), st.integers(4, 40), st.integers(2, 9), st.integers(0, 8))
def test_a_terminal_shows_each_picture_wherever_the_first_one_began(
    virtual_terminal: Any, drawn: list[list[Line]], columns: int, rows: int, begun_at: int
) -> None:
    terminal, virtual = Terminal(), virtual_terminal(columns, rows)
    virtual.feed("\n" * begun_at)
    top = min(begun_at, rows - 1)
    drawing = screen(terminal, columns, rows)
    for picture in drawn:
        drawing.draw(picture, bytes_at_most=None)
        virtual.feed(terminal.taken())
        top = min(top, rows - 1 - min(len(picture), rows - 1))
        assert virtual.text[top:] == expected(picture, columns, rows)
        assert (virtual.column, virtual.row) == (0, top + min(len(picture), rows - 1))


@settings(max_examples=40, deadline=None)
@given(pictures, pictures, st.integers(1, 60))
def test_what_one_drawing_leaves_the_next_ones_do(
    virtual_terminal: Any, before: list[Line], after: list[Line], bytes_at_most: int
) -> None:
    terminal, virtual = Terminal(), virtual_terminal(40, 10)
    drawing = screen(terminal, 40, 10)
    drawing.draw(before, bytes_at_most=None)
    virtual.feed(terminal.taken())
    for _ in range(80):
        drawing.draw(after, bytes_at_most)
        virtual.feed(terminal.taken())
    assert virtual.text == expected(after, 40, 10)
    drawing.draw(after, bytes_at_most)
    assert terminal.taken() == "\r"


@settings(max_examples=40, deadline=None)
@given(st.lists(pictures, max_size=4))
def test_another_terminal_emulator_agrees(drawn: list[list[Line]]) -> None:
    pyte = pytest.importorskip("pyte")
    terminal, emulated = Terminal(), pyte.Screen(40, 10)
    emulated.set_mode(pyte.modes.LNM)  # what the terminal driver does to a line feed
    with screen(terminal, 40, 10) as drawing:
        for picture in drawn:
            drawing.draw(picture, bytes_at_most=None)
        pyte.Stream(emulated).feed(terminal.taken())
        shown = [line.rstrip() for line in emulated.display]
        last = expected(drawn[-1], 40, 10) if drawn else []
        assert shown == last + [""] * (10 - len(last))
        assert emulated.cursor.hidden


def test_only_what_changes_is_sent() -> None:
    terminal = Terminal()
    drawing = screen(terminal)
    drawing.draw([Line("level  -40 dBFS"), Line("x" * 79), Line("source connected")])
    terminal.taken()
    drawing.draw([Line("level  -41 dBFS"), Line("x" * 79), Line("source connected")])
    assert terminal.taken() == "\x1b[3A\r\x1b[9C1\n\n\n\r"


def test_no_drawing_sends_more_than_it_may() -> None:
    terminal = Terminal()
    drawing = screen(terminal, 200, 50)
    sent = []
    for colour in range(16, 46):
        strip = tuple(("▀", f"38;5;{colour};48;5;{(colour + column) % 2 + 100}") for column in range(190))
        drawing.draw([Line("", "", strip)] * 49)
        sent.append(len(terminal.taken().encode()))
    assert max(sent) < BYTES_A_DRAWING + 100  # the way back to where the cursor waits
    assert min(sent) > BYTES_A_DRAWING / 2


def test_a_resized_terminal_is_drawn_anew(virtual_terminal: Any) -> None:
    terminal, virtual, size = Terminal(), virtual_terminal(80, 24), [80, 24]
    drawing = Screen(terminal, lambda: os.terminal_size(tuple(size)), {})
    picture = [Line("a" * 60), Line("b"), Line("c")]
    drawing.draw(picture)
    virtual.feed(terminal.taken())
    size[:] = 40, 10
    virtual.resize(40, 10)
    virtual.feed("rubbish of the terminal's own\n")
    drawing.draw(picture)
    virtual.feed(terminal.taken())
    assert virtual.text == ["a" * 39, "b", "c"]


def test_the_cursor_is_hidden_while_drawing_and_shown_after_an_exception() -> None:
    terminal = Terminal()
    with suppress(KeyboardInterrupt), screen(terminal):
        assert terminal.taken() == "\x1b[?25l"
        raise KeyboardInterrupt
    assert terminal.taken() == "\x1b[?25h"


def test_erasing_leaves_the_place_for_other_text(virtual_terminal: Any) -> None:
    terminal, virtual = Terminal(), virtual_terminal(20, 5)
    drawing = screen(terminal, 20, 5)
    drawing.draw([Line("one"), Line("two")])
    drawing.erase()
    virtual.feed(terminal.taken() + "result\n\r")
    drawing.draw([Line("three")])
    virtual.feed(terminal.taken())
    assert virtual.text == ["result", "three"]


@pytest.mark.parametrize(("environ", "styled"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_styles_are_left_out_where_no_color_asks_for_it(environ: dict[str, str], styled: bool) -> None:
    terminal = Terminal()
    screen(terminal, environ=environ).draw([Line("x", BOLD)])
    assert terminal.taken() == ("\r\x1b[0;1mx\x1b[0m\n\r" if styled else "\rx\n\r")


def test_a_terminal_that_went_away_does_not_end_what_draws_on_it() -> None:
    class Gone(io.StringIO):
        encoding = "utf-8"
        asked = 0

        def flush(self) -> None:
            self.asked += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    terminal = Gone()
    with Screen(terminal, lambda: os.terminal_size((80, 24)), {}) as drawing:
        for _ in range(3):
            drawing.draw([Line("x")])
    assert terminal.asked == 1


def test_the_size_is_the_terminals_own_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    monkeypatch.setenv("LINES", "7")
    drawing = Screen(Terminal())
    assert (drawing.columns, drawing.rows) == (32, 6)
