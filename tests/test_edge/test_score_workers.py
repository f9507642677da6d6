"""`score --jobs N`: processes that end, hang or are left alone, and results that do not depend on them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    import subprocess

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., "subprocess.Popen[str]"]
WriteSound = Callable[..., Path]

PATIENCE_S = 30.0
POISON = """
import os, signal, sys
def die(event, arguments):
    if event == "open" and str(arguments[0]).endswith("poison.wav") and "worker_program" in " ".join(sys.orig_argv):
        os.kill(os.getpid(), signal.SIGSEGV)
sys.addaudithook(die)
"""
"""As a fault in a library would: the process is gone before Python could say anything."""


@pytest.fixture
def recordings(write_sound: WriteSound, breathing: Breathing, tmp_path: Path) -> Path:
    """The longest first, so that those after it are done before it."""
    for number in range(6):
        write_sound(f"data/{number}.wav", breathing(16 - 2 * number, seed=number))
    return tmp_path / "data"


def arguments(recordings: Path, output: Path, jobs: int, hop_s: float = 0.5) -> list[object]:
    return ["score", recordings, "--device", "meditron", "--hop", hop_s, "--jobs", jobs, "--output", output]


@pytest.mark.parametrize(("ending", "jobs"), [("jsonl", 2), ("jsonl", 3), ("csv", 2)])
def test_results_are_the_same_however_many_work_at_them(
    run_command: RunCommand, recordings: Path, tmp_path: Path, ending: str, jobs: int
) -> None:
    contents = []
    for number in (1, jobs):
        assert run_command(*arguments(recordings, tmp_path / f"{number}.{ending}", number)).code == 0
        contents.append({"".join(path.suffixes): path.read_bytes() for path in tmp_path.glob(f"{number}.*")})
    assert contents[0] == contents[1] != {}


def children(process_id: int) -> list[int]:
    listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return [int(child) for child in listed]


def started_with_workers(start_command: StartCommand, *typed: object) -> tuple[subprocess.Popen[str], list[int]]:
    """A run, and its two workers, which have a recording each to work at."""
    running = start_command(*typed)
    deadline_s = time.monotonic() + PATIENCE_S
    while not (len(found := children(running.pid)) == 2 and all(map(holds_records, found))):
        assert running.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return running, found


def holds_records(process_id: int) -> bool:
    """Whether a worker was given a file for its records."""
    opened = Path(f"/proc/{process_id}/fd")
    try:
        return any("(deleted)" in str(number.readlink()) for number in opened.iterdir())
    except OSError:
        return False


def test_a_worker_that_is_killed_costs_nothing(
    start_command: StartCommand, run_command: RunCommand, recordings: Path, tmp_path: Path
) -> None:
    running, workers = started_with_workers(start_command, *arguments(recordings, tmp_path / "two.jsonl", 2))
    os.kill(workers[0], signal.SIGKILL)
    _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, errors
    run_command(*arguments(recordings, tmp_path / "one.jsonl", 1))
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()


def test_a_recording_that_ends_its_worker_twice_is_left_out(
    start_command: StartCommand, recordings: Path, tmp_path: Path
) -> None:
    (recordings / "poison.wav").write_bytes((recordings / "5.wav").read_bytes())
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(POISON)
    output = tmp_path / "out.jsonl"
    running = start_command(*arguments(recordings, output, 2), environ={"PYTHONPATH": str(tmp_path / "hooks")})
    _, errors = running.communicate(timeout=PATIENCE_S)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    (error,) = (record for record in records if record["record"] == "error")
    assert running.returncode == 1, errors
    assert error["error"] == (
        f"{recordings}/poison.wav: ended the process that scored it (signal 11); leave it out, and report it"
    )
    assert len([record for record in records if record["record"] == "file"]) == 6


def test_workers_that_hang_do_not_keep_a_run_from_ending(
    start_command: StartCommand, recordings: Path, tmp_path: Path
) -> None:
    running, workers = started_with_workers(start_command, *arguments(recordings, tmp_path / "out.jsonl", 2, 0.02))
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    running.terminate()
    _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 128 + signal.SIGTERM
    assert errors.splitlines()[-1].endswith(" of 6 recordings; add --resume to go on")
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_workers_of_a_run_that_was_killed_end_by_themselves(
    start_command: StartCommand, recordings: Path, tmp_path: Path
) -> None:
    running, workers = started_with_workers(start_command, *arguments(recordings, tmp_path / "out.jsonl", 2, 0.02))
    running.kill()
    running.communicate(timeout=PATIENCE_S)
    deadline_s = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{worker}/fd").exists() and is_alive(worker) for worker in workers):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def is_alive(process_id: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
