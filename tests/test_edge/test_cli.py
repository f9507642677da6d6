"""The command line itself: help, usage errors, exit codes, and what starting it costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.command_line import build_parser

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., "subprocess.Popen[str]"]
WriteSound = Callable[..., Path]


def test_help_says_research_only_and_no_radio(run_command: RunCommand) -> None:
    ran = run_command("--help")
    assert ran.code == 0
    assert "RESEARCH USE ONLY" in ran.out
    assert "No vendor's radio link is supported" in ran.out
    for command in ("listen", "score", "devices"):
        assert command in ran.out


@pytest.mark.parametrize("command", ["listen", "score", "devices"])
def test_every_command_has_help(run_command: RunCommand, command: str) -> None:
    ran = run_command(command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"respire-edge {command}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["diagnose"], "diagnose"),
        (["listen"], "--device"),
        (["listen", "--device", "meditron", "--hop", "0"], "0 is not a number above 0"),
        (["listen", "--device", "meditron", "--hop", "soon"], "soon"),
        (["listen", "--device", "meditron", "--colour"], "--colour"),
        (["score", "--device", "auto"], "PATH"),
        (["score", ".", "--device", "auto", "--jobs", "0"], "0 is not a whole number from 1 up"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(run_command: RunCommand, arguments: list[str], said: str) -> None:
    ran = run_command(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("respire-edge: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err


def test_a_microphone_and_real_time_are_the_defaults() -> None:
    arguments = build_parser().parse_args(["listen", "--device", "meditron"])
    assert (arguments.source, arguments.hop, arguments.realtime, arguments.engine) == ("mic", 1.0, True, "auto")


def test_the_parser_waits_for_no_library() -> None:
    code = (
        "import sys, edge.cli as c; c.build_parser(); print({'numpy', 'onnxruntime', 'soundfile'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "set()\n"


def test_listening_to_a_file_loads_no_sound_card_library(
    models_folder: Path, write_sound: WriteSound, breathing: Breathing
) -> None:
    arguments = ["listen", "--device", "meditron", "--no-realtime", "--model", str(models_folder)]
    arguments += ["--source", str(write_sound("a.wav", breathing(2)))]
    code = f"import sys; from edge.cli import main; main({arguments!r}); sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(
    start_command: StartCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    process = start_command("score", write_sound("a.wav", breathing(8)), "--device", "meditron")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stream:
        assert "Traceback" not in stream.read()
    assert process.wait(timeout=60) == 0


def test_a_full_disk_is_one_line(
    start_command: StartCommand, tmp_path: Path, write_sound: WriteSound, breathing: Breathing
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to write to")
    target = tmp_path / "out.jsonl"
    target.symlink_to("/dev/full")
    process = start_command("score", write_sound("a.wav", breathing(2)), "--device", "meditron", "--output", target)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith(f"respire-edge: {target}: results cannot be written (No space left")


def test_a_full_disk_behind_standard_output_is_one_line(
    models_folder: Path, write_sound: WriteSound, breathing: Breathing
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to write to")
    arguments = [
        "score",
        str(write_sound("a.wav", breathing(2))),
        "--device",
        "meditron",
        "--model",
        str(models_folder),
    ]
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "edge", *arguments]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith("respire-edge: <stdout>: results cannot be written (No space left")


def test_an_output_of_unknown_format_is_refused(run_command: RunCommand, tmp_path: Path) -> None:
    ran = run_command("listen", "--device", "meditron", "--source", "demo", "--output", tmp_path / "out.xml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].endswith("results are written as .jsonl or .csv; choose a name that ends so")
