"""What a terminal can show, and what never reaches it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.view.progress import Progress
from edge.view.terminal import bar, has_256_colours, is_terminal, shown_text


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_text_cannot_command_the_terminal() -> None:
    assert shown_text("a\x1b[2Jb\nc\udce9d é", "utf-8") == "a?[2Jb?c?d é"
    assert shown_text("é", "ascii") == "?"
    assert shown_text("é", None) == "?"


@given(share=st.floats(allow_nan=False), width=st.integers(0, 60))
def test_a_bar_always_has_its_width(share: float, width: int) -> None:
    drawn = bar(share, width, "utf-8")
    assert len(drawn) == width + 2
    assert drawn.count("█") == round(min(max(share, 0), 1) * width)


def test_a_bar_is_made_of_what_the_terminal_can_write() -> None:
    assert bar(0.5, 4, "ascii") == bar(0.5, 4, None) == "[##  ]"
    assert bar(0.5, 4, "UTF-8") == bar(0.5, 4, "utf8") == "[██  ]"


@pytest.mark.parametrize(("term", "expected"), [("xterm", True), ("dumb", False), ("", False), (None, False)])
def test_a_dumb_terminal_is_not_drawn_on(term: str | None, expected: bool) -> None:
    environ = {} if term is None else {"TERM": term}
    assert is_terminal(Terminal(), environ) is expected
    assert not is_terminal(io.StringIO(), environ)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, True),
        ({"TERM": "linux"}, False),
        ({"TERM": "screen-256color", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_used_where_there_are_256_and_they_are_wanted(environ: dict[str, str], expected: bool) -> None:
    assert has_256_colours(environ) is expected


def test_progress_is_drawn_on_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe, ticks = Terminal(), io.StringIO(), iter(range(0, 100, 2))
    for stream in (terminal, pipe):
        progress = Progress(stream, 4, clock=lambda: float(next(ticks)))
        progress.advance()
        progress.erase()
    assert "1/4 files, about 6 s left" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[1A\r\x1b[J")
    assert pipe.getvalue() == ""
