"""What lies beside good recordings, or is in their way, costs `score` a line each and no other its results."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.recording import RecordingSource
from edge.scoring import scored_file

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., Any]
WriteSound = Callable[..., Path]


@pytest.fixture
def good(write_sound: WriteSound, breathing: Breathing) -> Path:
    """A recording that can be scored, with its annotations, in a folder of its own."""
    path = write_sound("data/good.wav", breathing(9.0))
    path.with_suffix(".txt").write_text("0.2 2.0 0 0\n")
    return path


def refused(ran: Any) -> list[str]:
    """The lines of the summary about recordings that were not scored."""
    lines = ran.err.splitlines()
    return [line.strip() for line in lines[lines.index(f"not scored: {len(ran.of_kind('error'))}") + 1 :]]


def test_what_is_no_file_or_leads_nowhere_is_named_and_links_end(
    run_command: RunCommand, good: Path, tmp_path: Path
) -> None:
    folder = good.parent
    os.mkfifo(folder / "pipe.wav")
    (folder / "device.wav").symlink_to("/dev/zero")
    (folder / "gone.wav").symlink_to("nowhere")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "round").symlink_to(folder)
    (folder / "folder.wav").mkdir()
    ran = run_command("score", folder, "--device", "meditron")
    assert ran.code == 1
    assert [line.removeprefix(f"{folder}/").partition(" (")[0] for line in refused(ran)] == [
        "device.wav: not a file; give a WAV or FLAC file",
        "gone.wav: no such file; check the path",
        "loop.wav: no such file; check the path",
        "pipe.wav: not a file; give a WAV or FLAC file",
    ]
    assert {result["source"] for result in ran.results} == {str(good)}


def test_annotations_that_never_end_are_not_waited_for(run_command: RunCommand, good: Path) -> None:
    twin = good.with_name("twin.wav")
    twin.write_bytes(good.read_bytes())
    os.mkfifo(twin.with_suffix(".txt"))
    ran = run_command("score", good.parent, "--device", "meditron", "--cycles")
    assert (ran.code, len(ran.results)) == (1, 1)
    assert refused(ran) == [f"{twin.with_suffix('.txt')}: not a file; it must hold lines 'start end crackle wheeze'"]


def test_half_a_recording_leaves_no_results(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    path = write_sound("half.flac", breathing(60.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ran = run_command("score", path, "--device", "meditron")
    assert (ran.code, ran.results, ran.events) == (1, [], [])
    (line,) = refused(ran)
    assert line.startswith(f"{path}: ")
    assert line.endswith("; copy it again")


def test_a_name_with_a_line_end_costs_one_line_that_no_terminal_obeys(run_command: RunCommand, good: Path) -> None:
    bad = good.with_name("two\nlines\x1b[31m.wav")
    bad.write_bytes(b"no sound")
    ran = run_command("score", good.parent, "--device", "meditron")
    (line,) = refused(ran)
    assert line.startswith(f"{good.parent}/two\\nlines\\x1b[31m.wav: not a WAV or FLAC file")
    (error,) = ran.of_kind("error")
    assert (error["source"], error["error"]) == (str(bad), line)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (MemoryError(), "needs more memory than there is"),
        (OSError(5, "Input/output error"), "cannot be read (Input/output error)"),
        (RecursionError("too deep"), "cannot be scored (RecursionError: too deep); please report it"),
        (ZeroDivisionError("division by zero"), "cannot be scored (ZeroDivisionError: division by zero)"),
    ],
    ids=["memory", "disk", "depth", "mistake"],
)
def test_whatever_goes_wrong_with_one_recording_the_others_are_scored(
    run_command: RunCommand, good: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str
) -> None:
    good.with_name("faulty.wav").write_bytes(good.read_bytes())

    class FaultySource(RecordingSource):
        def _blocks(self) -> Iterator[Any]:
            yield from super()._blocks()
            if self.name.endswith("faulty.wav"):
                raise fault

    monkeypatch.setattr(scored_file, "RecordingSource", FaultySource)
    ran = run_command("score", good.parent, "--device", "meditron")
    assert ran.code == 1
    (error,) = ran.of_kind("error")
    assert error["error"].startswith(f"{good.parent}/faulty.wav: {said}")
    assert {result["source"] for result in ran.results} == {str(good)}


@contextmanager
def files_no_longer_than(size_bytes: int) -> Iterator[None]:
    """The kernel refuses to write more than that into one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def test_no_room_for_temporary_files_ends_the_run_in_one_line(run_command: RunCommand, good: Path) -> None:
    with files_no_longer_than(100):
        ran = run_command("score", good.parent, "--device", "meditron")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("respire-edge: a temporary file (in $TMPDIR, else /tmp): results cannot")


def test_a_killed_run_leaves_no_results_among_temporary_files(
    start_command: StartCommand, good: Path, tmp_path: Path
) -> None:
    temporary, output = tmp_path / "temporary", tmp_path / "out.jsonl"
    temporary.mkdir()
    arguments = ["score", good, "--device", "meditron", "--hop", "0.002", "--output", output]
    running = start_command(*arguments, environ={"TMPDIR": str(temporary)})
    while not any(str(temporary) in opened for opened in open_files(running.pid)):
        assert running.poll() is None
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert list(temporary.iterdir()) == []


def open_files(process_id: int) -> Iterator[str]:
    """What a process has open, as the kernel names it; what it closes meanwhile is passed over."""
    for number in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(OSError):
            yield str(number.readlink())
