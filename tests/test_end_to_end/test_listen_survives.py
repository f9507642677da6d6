"""`respire-edge listen` while its sound server is killed, frozen, restarted, or not there yet."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tools.sound_server import SoundServer

HOP_S = 0.5
WINDOW_S = 5.0
NOTICED_S = 2.0
RESUMED_S = 10.0
ENDED_S = 1.0
SLOWNESS_S = 2.0
"""What a busy machine may add to each: starting a Python alone takes half a second on a computer of two cores."""

Record = dict[str, Any]
Start = Callable[..., "Listening"]


class Listening:
    """A running `listen`, seen through what it writes."""

    def __init__(self, server: SoundServer, output: Path, *options: str) -> None:
        command = [sys.executable, "-m", "edge", "listen", "--device", "meditron", "--hop", str(HOP_S)]
        command += ["--source", f"mic:{server.input_name}", "--output", str(output), *options]
        self.output = output
        self.process = subprocess.Popen(command, env=server.environment, stderr=subprocess.PIPE, text=True)

    @property
    def records(self) -> list[Record]:
        """What is written by now, as far as whole lines go."""
        text = self.output.read_text(encoding="utf-8") if self.output.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    @property
    def results(self) -> list[Record]:
        return [record for record in self.records if record["record"] == "result"]

    @property
    def event_names(self) -> list[str]:
        return [record["event"] for record in self.records if record["record"] == "event"]

    def event(self, name: str, within_s: float) -> Record:
        """The first event of that name, waiting for it."""
        self.wait_until(lambda: name in self.event_names, within_s, name)
        return next(record for record in self.records if record["record"] == "event" and record["event"] == name)

    def wait_until(self, happened: Callable[[], bool], within_s: float, what: str) -> None:
        deadline_s = time.monotonic() + within_s
        while not happened():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline_s, f"no {what} within {within_s} s"
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> float:
        """Send a signal; how long it took to end."""
        begin_s = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        return time.monotonic() - begin_s


@pytest.fixture
def start(stopped_sound_server: SoundServer, tmp_path: Path) -> Iterator[Start]:
    started: list[Listening] = []

    def start_listening(*options: str) -> Listening:
        started.append(Listening(stopped_sound_server, tmp_path / "results.jsonl", *options))
        return started[-1]

    yield start_listening
    for listening in started:
        listening.process.kill()
        listening.process.communicate()


def assert_times_are_true(results: list[Record]) -> None:
    """No window is missing and none comes twice, whatever happened to the sound."""
    starts_s = [result["start_s"] for result in results[:-1]]
    assert starts_s == [HOP_S * number for number in range(len(starts_s))]


def test_a_killed_and_restarted_sound_server_is_a_marked_gap(sound_server: SoundServer, start: Start) -> None:
    listening = start("--max-restarts", "5")
    listening.wait_until(lambda: len(listening.results) > 0, 30, "result")
    begin_s = time.monotonic()
    sound_server.kill()
    lost = listening.event("source-lost", NOTICED_S + SLOWNESS_S)
    listening.event("source-retry", 5)
    sound_server.start()
    resumed = listening.event("source-resumed", RESUMED_S + SLOWNESS_S)
    away_s = time.monotonic() - begin_s
    assert resumed["away_s"] == pytest.approx(away_s, abs=1.5)
    assert resumed["start_s"] == pytest.approx(lost["start_s"], abs=0.01)
    listening.wait_until(lambda: listening.results[-1]["end_s"] > resumed["end_s"] + 1, 20, "results after it")
    assert listening.end(signal.SIGTERM) < ENDED_S + SLOWNESS_S
    assert listening.process.returncode == 0
    results = listening.results
    assert_times_are_true(results)
    inside = [r for r in results if r["start_s"] > lost["start_s"] - WINDOW_S + 2 and r["end_s"] > lost["start_s"] + 2]
    assert inside
    assert {result["label"] for result in inside} == {None}
    assert all("gap" in [reason["name"] for reason in result["quality"]["reasons"]] for result in inside)
    passed_s = time.monotonic() - begin_s
    assert results[-1]["end_s"] - lost["start_s"] == pytest.approx(passed_s, abs=2.5)


def test_a_frozen_sound_server_is_noticed_and_holds_up_nobody(sound_server: SoundServer, start: Start) -> None:
    listening = start()
    listening.wait_until(lambda: len(listening.results) > 0, 30, "result")
    sound_server.freeze()
    assert listening.event("source-lost", NOTICED_S + SLOWNESS_S)["idle_s"] <= NOTICED_S
    time.sleep(2.0)
    sound_server.thaw()
    listening.event("source-resumed", RESUMED_S + SLOWNESS_S)
    sound_server.freeze()
    assert listening.end(signal.SIGINT) < ENDED_S + SLOWNESS_S
    assert listening.process.returncode == 0
    assert_times_are_true(listening.results)


def test_a_source_that_is_being_opened_again_keeps_no_stop_from_being_heard(
    sound_server: SoundServer, start: Start
) -> None:
    listening = start()
    listening.wait_until(listening.output.exists, 30, "open source")
    sound_server.freeze()
    listening.event("source-lost", NOTICED_S + SLOWNESS_S)
    assert listening.end(signal.SIGTERM) < ENDED_S + SLOWNESS_S
    assert listening.process.returncode == 0
    # Shorter than a window; what there was of it is not lost.
    assert [result["start_s"] for result in listening.results] == [0.0]


def test_a_source_that_is_not_there_yet_is_waited_for_and_given_up_later(
    stopped_sound_server: SoundServer, start: Start
) -> None:
    listening = start("--wait-for-source", "--max-restarts", "3")
    listening.event("source-absent", 10)
    stopped_sound_server.start()
    found = listening.event("source-resumed", RESUMED_S + SLOWNESS_S)
    assert found["start_s"] == 0.0
    stopped_sound_server.kill()
    listening.event("source-lost", NOTICED_S + SLOWNESS_S)
    assert listening.process.wait(timeout=30) == 2
    assert listening.event_names[-1] in ("source-retry", "breath-sound")
    assert listening.process.stderr is not None
    waiting, given_up = listening.process.stderr.read().splitlines()[-2:]
    assert waiting.startswith("respire-edge: waiting for mic:stethoscope_line (no sound input on this machine; ")
    assert given_up.startswith("respire-edge: mic:stethoscope_line: given up after 3 failed attempts; the last one: ")
    assert listening.results
    assert_times_are_true(listening.results)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_for_a_source_can_be_stopped(
    stopped_sound_server: SoundServer, start: Start, number: signal.Signals
) -> None:
    listening = start("--wait-for-source")
    listening.event("source-retry", 10)
    assert listening.end(number) < ENDED_S + SLOWNESS_S
    assert listening.process.returncode == 0


def test_a_source_that_is_not_there_is_one_line_at_once(
    stopped_sound_server: SoundServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "results.jsonl").write_text("earlier results\n")
    listening = start()
    assert listening.process.wait(timeout=30) == 2
    assert listening.process.stderr is not None
    assert listening.process.stderr.read().splitlines()[-1].startswith("respire-edge: no sound input on this machine; ")
    assert (tmp_path / "results.jsonl").read_text() == "earlier results\n"
