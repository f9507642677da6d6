"""A run of `score` that was cut off, however it was, goes on and writes what an unbroken one writes, byte for byte."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import edge
from edge.errors import UsageError
from edge.scoring.file_score import FileScore
from edge.scoring.journal import Done, begin_journal, journal_path, resume_journal

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., "subprocess.Popen[str]"]
WriteSound = Callable[..., Path]

PROFILES = Path(edge.__file__).parent / "profiles"
RECORDINGS = 10
KILLS = 3
"""Of each format; `python -m benchmarks.kills` does a hundred."""


@pytest.fixture
def recordings(write_sound: WriteSound, breathing: Breathing, tmp_path: Path) -> Path:
    """A dozen recordings, one of them no recording at all."""
    for number in range(RECORDINGS):
        write_sound(f"data/{number:02}_Meditron.wav", breathing(8 + number, seed=number))
    (tmp_path / "data" / "05_Meditron.wav").write_bytes(b"RIFF, and then nothing")
    return tmp_path / "data"


@pytest.fixture(params=["jsonl", "csv"])
def unbroken(request: pytest.FixtureRequest, run_command: RunCommand, recordings: Path, tmp_path: Path) -> Path:
    """The output of a run that nothing cut off."""
    output = tmp_path / f"unbroken.{request.param}"
    assert run_command("score", recordings, "--device", "auto", "--hop", "1", "--output", output).code == 1
    return output


def written(output: Path) -> dict[str, bytes]:
    """What a run left: the output and what lies beside it, by the end of its name."""
    stem = output.name.split(".")[0]
    return {path.name.removeprefix(stem): path.read_bytes() for path in output.parent.glob(f"{stem}.*")}


def test_killed_at_random_again_and_again_nothing_is_lost(
    start_command: StartCommand, run_command: RunCommand, recordings: Path, unbroken: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    output = tmp_path / f"killed{unbroken.suffix}"
    arguments = ["score", recordings, "--device", "auto", "--hop", "1", "--jobs", "2", "--output", output, "--resume"]
    for _ in range(KILLS):
        running = start_command(*arguments)
        deadline_s = time.monotonic() + 20
        wanted = len(journal_lines(output)) + chance.randrange(1, 4)
        while running.poll() is None and len(journal_lines(output)) < wanted and time.monotonic() < deadline_s:
            time.sleep(0.002 + 0.01 * chance.random())
        running.kill()
        running.communicate()
    assert run_command(*arguments).code == 1
    assert written(output) == written(unbroken)


def journal_lines(output: Path) -> list[str]:
    path = journal_path(output)
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_says_how_to_go_on(
    start_command: StartCommand, run_command: RunCommand, recordings: Path, tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "stopped.jsonl"
    arguments = ["score", recordings, "--device", "auto", "--hop", "0.01", "--output", output]
    running = start_command(*arguments)
    while len(journal_lines(output)) < 2:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(number)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 128 + number
    assert errors.splitlines()[-1].startswith("respire-edge: stopped after ")
    assert errors.splitlines()[-1].endswith(f" of {RECORDINGS} recordings; add --resume to go on")
    assert journal_path(output).exists()


def test_a_run_that_was_cut_off_is_not_begun_anew_by_accident(
    run_command: RunCommand, recordings: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("earlier results\n")
    journal_path(output).write_bytes(b"")
    ran = run_command("score", recordings, "--device", "auto", "--output", output)
    assert (ran.code, output.read_text()) == (2, "earlier results\n")
    assert "a run was cut off here; add --resume to go on, or remove the journal to start anew" in ran.err


@pytest.mark.parametrize(
    ("changed", "named"),
    [(["--hop", "2"], "hop"), (["--cycles"], "cycles"), (["--device", "meditron"], "device")],
)
def test_what_was_asked_otherwise_is_not_gone_on_with(
    run_command: RunCommand, recordings: Path, half_done: Path, changed: list[str], named: str
) -> None:
    before = half_done.read_bytes()
    ran = run_command("score", recordings, "--device", "auto", *changed, "--output", half_done, "--resume")
    assert (ran.code, half_done.read_bytes()) == (2, before)
    assert f"asked otherwise ({named}" in ran.err


def test_a_recording_that_changed_since_it_was_scored_stops_the_run(
    run_command: RunCommand, recordings: Path, half_done: Path
) -> None:
    os.utime(recordings / "00_Meditron.wav", (1, 1))
    ran = run_command("score", recordings, "--device", "auto", "--output", half_done, "--resume")
    assert ran.code == 2
    assert "00_Meditron.wav: changed since it was scored; remove" in ran.err


@pytest.fixture
def half_done(run_command: RunCommand, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output that a full disk cut off: the limit of a file's size is real, what is written beyond it fails."""
    output = tmp_path / "half.jsonl"
    ends = 3000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(signal, "getsignal", signal.getsignal)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ends, before[1]))
    try:
        ran = run_command("score", recordings, "--device", "auto", "--output", output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 2
    assert "free some space" in ran.err
    return output


def test_a_full_disk_loses_nothing(run_command: RunCommand, recordings: Path, half_done: Path, tmp_path: Path) -> None:
    assert run_command("score", recordings, "--device", "auto", "--output", half_done, "--resume").code == 1
    assert run_command("score", recordings, "--device", "auto", "--output", tmp_path / "whole.jsonl").code == 1
    assert half_done.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_torn_or_changed_journal_tells_no_more_than_was_whole(data: st.DataObject, tmp_path: Path) -> None:
    path, asked = tmp_path / "out.jsonl.journal", {"device": "auto"}
    done = [Done(f"{number}:1", [number * 10], FileScore(float(number))) for number in range(1, 5)]
    journal = begin_journal(path, asked)
    starts = [path.stat().st_size]
    for each in done:
        journal.add(each)
        starts.append(path.stat().st_size)
    journal.close()
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    resumed, found = resume_journal(path, asked)
    whole = sum(start <= at for start in starts) - 1
    assert found == done[: max(whole, 0)]
    resumed.add(done[0])
    resumed.close()
    again, found_again = resume_journal(path, asked)
    again.close()
    assert found_again == [*found, done[0]]


def test_another_run_than_the_journals_is_named(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl.journal"
    begin_journal(path, {"device": "auto", "hop": None}).close()
    with pytest.raises(UsageError, match=r"asked otherwise \(hop\)"):
        resume_journal(path, {"device": "auto", "hop": 1.0})


def test_two_runs_never_write_one_output(
    start_command: StartCommand, run_command: RunCommand, recordings: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["score", recordings, "--device", "auto", "--hop", "0.01", "--output", output, "--resume"]
    running = start_command(*arguments)
    while not (journal_lines(output) and output.exists()):
        assert running.poll() is None
        time.sleep(0.01)
    before = output.read_bytes()
    ran = run_command(*arguments)
    still_running = running.poll() is None
    running.kill()
    running.communicate()
    assert (ran.code, still_running, output.read_bytes()[: len(before)]) == (2, True, before)
    assert ran.err.splitlines()[-1].endswith("another run writes it; wait for its end, or name another --output")


def test_limits_that_changed_meanwhile_are_not_gone_on_with(
    run_command: RunCommand, recordings: Path, half_done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = json.loads((PROFILES / "meditron.json").read_text())
    profile["quality"]["clipped_share"]["value"] /= 2
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "meditron.json").write_text(json.dumps(profile))
    monkeypatch.setenv("RESPIRE_EDGE_PROFILES", str(tmp_path / "profiles"))
    ran = run_command("score", recordings, "--device", "auto", "--output", half_done, "--resume")
    assert ran.code == 2
    assert "asked otherwise (models)" in ran.err


def test_to_go_on_there_must_be_a_file(run_command: RunCommand, recordings: Path) -> None:
    ran = run_command("score", recordings, "--device", "auto", "--resume")
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == "respire-edge: --resume goes on with a file; name it with --output"


def test_the_report_is_the_same_after_a_kill(
    start_command: StartCommand, run_command: RunCommand, recordings: Path, tmp_path: Path
) -> None:
    arguments = ["score", recordings, "--device", "auto", "--output", tmp_path / "out.csv"]
    running = start_command(*arguments, "--report", tmp_path / "killed.html")
    while running.poll() is None and len(journal_lines(tmp_path / "out.csv")) < 4:
        time.sleep(0.005)
    running.kill()
    running.communicate()
    assert run_command(*arguments, "--report", tmp_path / "killed.html", "--resume").code == 1
    assert run_command(*arguments, "--report", tmp_path / "whole.html").code == 1
    assert (tmp_path / "killed.html").read_bytes() == (tmp_path / "whole.html").read_bytes()
    assert not list(tmp_path.glob("*.records.jsonl"))


def test_a_run_that_is_asked_to_stop_while_it_writes_its_report_goes_on_with_that(
    start_command: StartCommand, run_command: RunCommand, recordings: Path, tmp_path: Path
) -> None:
    output, page = tmp_path / "out.jsonl", tmp_path / "page.html"
    arguments = ["score", recordings, "--device", "auto", "--output", output, "--report", page]
    assert any(stopped_at_its_report(start_command(*arguments), output) for _ in range(5)), "always too late"
    assert not page.exists()
    assert run_command(*arguments, "--resume").code == 1
    assert (page.exists(), journal_path(output).exists()) == (True, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out.jsonl", "page.html"]


def stopped_at_its_report(running: subprocess.Popen[str], output: Path) -> bool:
    """Ask a run to stop once all is scored. False where it was at its end before it heard."""
    while len(journal_lines(output)) < RECORDINGS + 1 and running.poll() is None:
        time.sleep(0.002)
    running.terminate()
    running.communicate(timeout=20)
    return running.returncode == 128 + signal.SIGTERM


def test_the_journal_is_for_its_owner_alone_and_gone_at_the_end(
    run_command: RunCommand, recordings: Path, half_done: Path
) -> None:
    assert journal_path(half_done).stat().st_mode & 0o777 == 0o600
    run_command("score", recordings, "--device", "auto", "--output", half_done, "--resume")
    assert not journal_path(half_done).exists()
    assert {json.loads(line)["record"] for line in half_done.read_text().splitlines()} >= {"result", "file", "error"}
