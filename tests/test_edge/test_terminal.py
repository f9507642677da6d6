"""Drawing in place: what reaches the terminal, on any size and encoding."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audio.source import Section
from edge.live_view import Meter, Session, lines_of_view, simulated_labels
from edge.quality import Quality, Reason
from edge.results import Result
from edge.terminal import BOLD, Line, Progress, Screen, bar, is_terminal, shown_text

SECTIONS = (Section(0, 14, "normal"), Section(14, 28, "wheeze"), Section(28, 42, "normal"))
SESSION = Session(
    device="littmann3200",
    source="demo (simulated)",
    model="common@1f0c",
    engine="onnxruntime-cpu-int8",
    sample_rate_hz=16000,
    window_s=7.0,
    sections=SECTIONS,
    encoding="utf-8",
)
RESULT = Result(
    source="demo (simulated)",
    device="littmann3200",
    start_s=10.0,
    end_s=17.0,
    label="wheeze",
    probabilities={"normal": 0.08, "crackle": 0.05, "wheeze": 0.81, "both": 0.06},
    quality=Quality(()),
    model="common@1f0c",
    engine="onnxruntime-cpu-int8",
    latency_ms=6.1,
)


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal and keeps what is written to it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding=encoding, newline="")

    def isatty(self) -> bool:
        return True

    def seen(self) -> str:
        self.flush()
        return self.kept.getvalue().decode(self.encoding)


def screen(terminal: Terminal, columns: int = 80, rows: int = 24, environ: dict[str, str] | None = None) -> Screen:
    return Screen(terminal, lambda: os.terminal_size((columns, rows)), environ or {})


def test_the_second_picture_takes_the_place_of_the_first() -> None:
    terminal = Terminal()
    with screen(terminal) as drawn:
        drawn.draw([Line("one"), Line("two")])
        drawn.draw([Line("three")])
    assert terminal.seen() == "\x1b[?25l\r\x1b[Jone\ntwo\n\x1b[2A\r\x1b[Jthree\n\x1b[?25h"


def test_what_does_not_fit_is_cut_off() -> None:
    terminal = Terminal()
    screen(terminal, columns=5, rows=3).draw([Line("123456789"), Line("b"), Line("c"), Line("d")])
    assert terminal.seen() == "\r\x1b[J1234\nb\n"


@pytest.mark.parametrize(("environ", "expected"), [({}, "\x1b[1mx\x1b[0m"), ({"NO_COLOR": "1"}, "x")])
def test_styles_are_left_out_where_no_color_asks_for_it(environ: dict[str, str], expected: str) -> None:
    terminal = Terminal()
    screen(terminal, environ=environ).draw([Line("x", BOLD)])
    assert terminal.seen() == f"\r\x1b[J{expected}\n"


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


def test_a_dumb_terminal_and_a_file_are_not_drawn_on() -> None:
    assert is_terminal(Terminal(), {"TERM": "xterm"})
    assert not is_terminal(Terminal(), {"TERM": "dumb"})
    assert not is_terminal(io.StringIO(), {"TERM": "xterm"})


def test_progress_is_drawn_on_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe, ticks = Terminal(), io.StringIO(), iter(range(0, 100, 2))
    for stream in (terminal, pipe):
        progress = Progress(stream, 4, clock=lambda: float(next(ticks)))
        progress.advance()
        progress.erase()
    assert "1/4 files, about 6 s left" in terminal.seen()
    assert terminal.seen().endswith("\x1b[1A\r\x1b[J")
    assert pipe.getvalue() == ""


def texts(meter: Meter, *results: Result) -> list[str]:
    return [line.text for line in lines_of_view(SESSION, meter, results)]


def test_the_view_says_that_sound_is_simulated_and_what_it_holds_now() -> None:
    view = texts(Meter(heard_samples=16 * 16000, level_dbfs=-40.0))
    assert "RESEARCH USE ONLY. Not a medical device." in view
    assert "SIMULATED SOUND, made by this program. Playing now: wheeze" in view
    assert "first result after 7 s of sound" in view
    assert any(text.startswith("  0:16  level [") and "-40 dBFS" in text for text in view)


def test_the_view_shows_the_latest_result_and_what_was_simulated() -> None:
    view = texts(Meter(), RESULT)
    assert any(text.startswith("  wheeze [████") and text.endswith(" 81%") for text in view)
    assert "  10.0 to   17.0 s  wheeze    81%  quality ok  simulated: normal, wheeze" in view


def test_the_view_says_why_there_is_no_label() -> None:
    reasons = (Reason("clipping", 0.1234, 0.01, "share"), Reason("gap", 0.5, 0.0, "s"))
    view = texts(Meter(lost_samples=8000), replace(RESULT, label=None, quality=Quality(reasons)))
    (line,) = [text for text in view if "no label" in text]
    assert "clipping 0.123 share (limit 0.01); gap 0.5 s (limit 0)" in line
    assert any(text.endswith("lost 0.5 s") for text in view)


def test_simulated_labels_come_in_order_each_change_once() -> None:
    assert simulated_labels(SECTIONS, 0, 42) == ("normal", "wheeze", "normal")
    assert simulated_labels(SECTIONS, 1, 8) == ("normal",)
    assert simulated_labels(SECTIONS, 28, 35) == ("normal",)
    assert simulated_labels(SECTIONS, 50, 57) == ()
