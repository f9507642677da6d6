"""What a person sees while listening: on terminals of several sizes, resized, suspended and ended by signals."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.audio.source import Section
from edge.events import Event
from edge.quality import Quality, Reason
from edge.results import Result
from edge.signal.spec import COMPACT
from edge.view.event_words import words_of_event
from edge.view.level_meter import HOLD_S, Meter, read_meter
from edge.view.live_view import LiveView, Seen, Session, lines_of_view, simulated_labels, strip_rows
from edge.view.screen import Screen
from edge.view.source_state import CONNECTED, SourceState, state_after, words_of_state
from edge.view.terminal import RED

Breathing = Callable[..., NDArray[np.float32]]
WriteSound = Callable[..., Path]

SECTIONS = (Section(0, 14, "normal"), Section(14, 28, "wheeze"), Section(28, 42, "normal"))
SESSION = Session(
    device="littmann3200",
    source="demo (simulated)",
    model="common@1f0c",
    engine="onnxruntime-cpu-int8",
    sample_rate_hz=16000,
    spec=COMPACT,
    sections=SECTIONS,
    encoding="utf-8",
    colours=False,
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


WHEEZE = Event(
    "breath-sound", "mic", 12.0, 16.0, {"device": "littmann3200", "label": "wheeze", "peak_probability": 0.83}
)


def texts(seen: Seen, columns: int = 79, rows: int = 40) -> list[str]:
    return [line.text for line in lines_of_view(SESSION, seen, [], columns, rows)]


def test_the_view_says_that_sound_is_simulated_and_what_it_holds_now() -> None:
    view = texts(Seen(Meter(heard_samples=16 * 16000, level_dbfs=-40.0)))
    assert "RESEARCH USE ONLY. Not a medical device." in view
    assert "SIMULATED SOUND, made by this program. Playing now: wheeze" in view
    assert "first result after 7 s of sound" in view
    assert any(text.startswith("  0:16  level [") and "-40 dBFS" in text for text in view)


def test_the_view_shows_the_latest_result_and_what_was_simulated() -> None:
    view = texts(Seen(results=[RESULT]))
    assert any(text.startswith("  wheeze [████") and text.endswith(" 81%") for text in view)
    assert "  10.0 to   17.0 s  wheeze    81%  quality ok  simulated: normal, wheeze" in view


def test_the_view_says_why_there_is_no_label() -> None:
    reasons = (Reason("clipping", 0.1234, 0.01, "share"), Reason("gap", 0.5, 0.0, "s"))
    refused = replace(RESULT, label=None, quality=Quality(reasons))
    view = texts(Seen(Meter(lost_samples=8000), results=[refused]))
    (line,) = [text for text in view if "no label" in text]
    assert line.endswith("no label       clipping, gap  simulated: normal, wheeze")
    assert (
        "quality: too loud, overdriven (measured 12.3 %, limit 1 %); sound is missing (measured 0.5 s, limit 0 s)"
        in view
    )
    assert "source connected  lost 0.5 s in all" in view


def test_the_view_counts_coughs_an_hour() -> None:
    assert any("coughs 3 (180 an hour)" in text for text in texts(Seen(Meter(heard_samples=60 * 16000), coughs=3)))
    assert not any("coughs" in text for text in texts(Seen(Meter(heard_samples=60 * 16000))))


def test_simulated_labels_come_in_order_each_change_once() -> None:
    assert simulated_labels(SECTIONS, 0, 42) == ("normal", "wheeze", "normal")
    assert simulated_labels(SECTIONS, 1, 8) == ("normal",)
    assert simulated_labels(SECTIONS, 28, 35) == ("normal",)
    assert simulated_labels(SECTIONS, 50, 57) == ()


def test_on_a_small_terminal_the_most_important_lines_stay() -> None:
    seen = Seen(state=SourceState(away_since_s=0.0), results=[RESULT] * 4, events=[WHEEZE] * 4)
    assert [text[:12] for text in texts(seen, columns=39, rows=4)] == [
        "RESEARCH USE", "SIMULATED SO", "  0:00  leve", "  10.0 to   ",
    ]  # fmt: skip
    nine = texts(seen, columns=39, rows=9)
    assert [text[:8] for text in nine[3:8]] == ["source A", "  normal", " crackle", "  wheeze", "    both"]
    assert max(map(len, nine[2:8])) <= 39
    assert len(texts(seen, rows=40)) == 4 + 2 + 4 + 1 + 4 + 3


@pytest.mark.parametrize(("rows", "expected"), [(9, 0), (18, 0), (19, 4), (23, 8), (49, 16)])
def test_the_strip_takes_the_room_that_is_left(rows: int, expected: int) -> None:
    assert strip_rows(rows) == expected


def test_the_level_holds_its_peak_and_its_clipping_for_a_while() -> None:
    loud = AudioBlock(np.full(1600, 0.5, np.float32), clipped_at=np.array([3]))
    quiet = AudioBlock(np.full(1600, 0.01, np.float32))
    meter = read_meter(Meter(), loud, 16000)
    assert (round(meter.level_dbfs, 1), round(meter.peak_dbfs, 1)) == (-6.0, -6.0)
    for _ in range(round(HOLD_S * 10)):
        meter = read_meter(meter, quiet, 16000)
        assert (round(meter.level_dbfs, 1), round(meter.peak_dbfs, 1)) == (-40.0, -6.0)
    assert any("CLIPPING" in text for text in texts(Seen(meter)))
    meter = read_meter(meter, quiet, 16000)
    assert round(meter.peak_dbfs, 1) == -40.0
    assert not any("CLIPPING" in text for text in texts(Seen(meter)))


def test_nothing_heard_is_no_level() -> None:
    meter = read_meter(Meter(level_dbfs=-20.0, peak_dbfs=-10.0), AudioBlock(np.zeros(0, np.float32)), 1600)
    assert (meter.level_dbfs, meter.peak_dbfs, meter.heard_samples) == (-80.0, -80.0, 0)


def test_the_state_of_the_source_follows_its_events() -> None:
    state = CONNECTED
    told = []
    for name, now_s in (
        ("source-lost", 10.0),
        ("source-retry", 11.0),
        ("source-retry", 13.0),
        ("source-resumed", 14.0),
    ):
        state = state_after(Event(name, "mic", 0.0, 0.0), state, now_s)
        told.append(words_of_state(state, now_s))
    assert told == ["AWAY for 0 s, attempt 1", "AWAY for 1 s, attempt 2", "AWAY for 3 s, attempt 3", "connected"]


def test_that_sound_is_kept_and_that_it_no_longer_is_are_said() -> None:
    state = state_after(Event("recording-started", "mic", 0.0, 0.0, {"file": "a.wav"}), CONNECTED, 0.0)
    assert (words_of_state(state, 0.0), state.well) == ("connected  recording", True)
    state = state_after(Event("recording-stopped", "mic", 0.0, 0.0, {"reason": "No space left"}), state, 0.0)
    assert (words_of_state(state, 0.0), state.well) == ("connected  RECORDING STOPPED (No space left)", False)


def test_events_are_told_in_words() -> None:
    assert words_of_event(WHEEZE) == "wheeze for 4.0 s, 83% at its clearest"
    retry = Event("source-retry", "mic", 1.0, 1.0, {"attempt": 2, "wait_s": 4.0, "reason": "gone", "more": 1})
    assert words_of_event(retry) == "source retry: attempt 2, wait_s 4, gone"
    assert words_of_event(Event("source-resumed", "mic", 1.0, 1.0)) == "source resumed"


class Kept(io.StringIO):
    encoding = "utf-8"


def test_the_view_is_drawn_five_times_a_second_at_most_and_at_the_end() -> None:
    kept, now_s = Kept(), [0.0]
    drawn = Screen(kept, lambda: os.terminal_size((80, 24)), {})
    view = LiveView(SESSION, drawn, lambda: now_s[0])
    lengths = []
    for block in range(100):
        now_s[0] = block * 0.03125
        view.show_block(AudioBlock(np.full(500, block / 200, np.float32)))
        lengths.append(len(kept.getvalue()))
    assert len(set(lengths)) == 15  # every seventh block, in 3.1 s
    view.show_result(RESULT)
    view.finish()
    assert "wheeze    81%" in kept.getvalue()


@dataclass
class Seat:
    """A terminal with a program before it."""

    process: subprocess.Popen[bytes]
    descriptor: int
    virtual: Any
    sent_bytes: int = 0

    def look(self, seconds: float = 0.0) -> None:
        """Take what the program sends, for so long or until nothing comes."""
        until_s = time.monotonic() + seconds
        while select.select([self.descriptor], [], [], max(until_s - time.monotonic(), 0))[0]:
            try:
                piece = os.read(self.descriptor, 65536)
            except OSError:  # Linux reports the closed other end so
                return
            self.sent_bytes += len(piece)
            self.virtual.feed(piece.decode())

    def look_until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline_s, self.virtual.text
            self.look(0.05)

    def resize(self, columns: int, rows: int) -> None:
        self.virtual.resize(columns, rows)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def seated(models_folder: Path, virtual_terminal: Any) -> Callable[..., Any]:
    @contextmanager
    def sit(arguments: list[str], columns: int = 80, rows: int = 24, **environ: str) -> Iterator[Seat]:
        descriptor, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {"TERM": "xterm", "RESPIRE_EDGE_MODELS": str(models_folder), "PYTHONUTF8": "1"} | environ
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "listen", *arguments],
            stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL, env=os.environ | environment,
            preexec_fn=os.setpgrp,  # a process group that may be suspended
        )  # fmt: skip
        os.close(terminal)
        try:
            yield Seat(process, descriptor, virtual_terminal(columns, rows))
        finally:
            process.kill()
            process.wait(timeout=30)
            os.close(descriptor)

    return sit


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (200, 50)])
def test_the_last_picture_of_a_recording_stays(
    seated: Any, write_sound: WriteSound, breathing: Breathing, tmp_path: Path, columns: int, rows: int
) -> None:
    recording, target = write_sound("a.wav", breathing(12)), tmp_path / "out.jsonl"
    arguments = ["--device", "meditron", "--source", str(recording), "--no-realtime", "--output", str(target)]
    with seated(arguments, columns, rows) as seat:
        seat.look_until(lambda: seat.process.poll() is not None)
        seat.look()
    records = map(json.loads, target.read_text().splitlines())
    last = [record for record in records if record["record"] == "result"][-1]
    shown = seat.virtual.text
    assert any(f"5.0 to   12.0 s  {last['label'] or 'no label'}"[: columns - 4] in line for line in shown)
    assert any(f"{last['probabilities']['normal']:4.0%}" in line for line in shown if "normal [" in line)
    assert any(line.startswith("RESEARCH USE ONLY") for line in shown)
    assert not any("SIMULATED" in line for line in shown)
    assert any("1000 Hz" in line for line in shown) == (rows > 10)
    assert len(shown) < rows
    assert seat.virtual.cursor_shown
    assert seat.process.returncode == 0


def test_a_terminal_can_be_resized_left_and_come_back_to(seated: Any) -> None:
    with seated(["--device", "littmann3200", "--source", "demo"]) as seat:
        seat.look_until(lambda: any("source connected" in line for line in seat.virtual.text))
        assert not seat.virtual.cursor_shown
        seat.resize(40, 10)
        seat.look_until(lambda: any(line.startswith("SIMULATED") for line in seat.virtual.text))
        seat.process.send_signal(signal.SIGTSTP)
        seat.look_until(lambda: seat.virtual.cursor_shown)
        status = Path(f"/proc/{seat.process.pid}/stat")
        seat.look_until(lambda: status.read_text().rpartition(")")[2].split()[0] == "T")
        seat.virtual.feed("$ fg\n\r")
        seat.process.send_signal(signal.SIGCONT)
        seat.look_until(lambda: not seat.virtual.cursor_shown and "RESEARCH" in "".join(seat.virtual.text))
        seat.look(0.5)
        assert not any("$ fg" in line for line in seat.virtual.text)
        assert max(map(len, seat.virtual.text)) <= 39


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGINT])
def test_whatever_signal_ends_it_the_cursor_is_shown(seated: Any, number: signal.Signals) -> None:
    with seated(["--device", "littmann3200", "--source", "demo"]) as seat:
        seat.look_until(lambda: any("source connected" in line for line in seat.virtual.text))
        seat.process.send_signal(number)
        seat.look_until(lambda: seat.process.poll() is not None)
        seat.look()
    assert seat.virtual.cursor_shown
    asked = number in (signal.SIGTERM, signal.SIGINT)
    assert seat.process.returncode == (0 if asked else -number)


@pytest.mark.parametrize("environ", [{"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, {"NO_COLOR": "1"}])
def test_a_hostile_name_and_a_poor_terminal_are_no_harm(
    seated: Any, write_sound: WriteSound, breathing: Breathing, environ: dict[str, str]
) -> None:
    recording = write_sound("\x1b]0;pwned\x07\x1b[2J漢é.wav", breathing(8))
    with seated(["--device", "meditron", "--source", str(recording), "--no-realtime"], 200, 24, **environ) as seat:
        seat.look_until(lambda: seat.process.poll() is not None)
        seat.look()
    assert seat.process.returncode == 0
    assert any("?]0;pwned??[2J" in line for line in seat.virtual.text)


def test_a_dumb_terminal_gets_lines_of_results(seated: Any, write_sound: WriteSound, breathing: Breathing) -> None:
    recording = write_sound("a.wav", breathing(7))
    with seated(["--device", "meditron", "--source", str(recording), "--no-realtime"], 500, 24, TERM="dumb") as seat:
        seat.look_until(lambda: seat.process.poll() is not None)
        seat.look()
    assert [json.loads(line)["record"] for line in seat.virtual.text] == ["result"]


def test_the_source_away_is_shown_in_red() -> None:
    lines = lines_of_view(SESSION, Seen(state=SourceState(3.0, failed_attempts=1), now_s=6.2), [], 79, 23)
    (line,) = [line for line in lines if line.text.startswith("source ")]
    assert (line.text, line.style) == ("source AWAY for 3 s, attempt 2", RED)
