"""Nothing asks for a network: each command under an audit hook that sees every socket, and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Breathing = Callable[..., NDArray[np.float32]]
WriteSound = Callable[..., Path]
WATCH = """
import os, sys
def note(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        with open(os.environ["NOTED"], "a") as file:
            family = getattr(arguments[0], "family", None) if arguments else None
            kind = arguments[1] if event == "socket.__new__" else family
            print(event, getattr(kind, "name", kind), file=file)
sys.addaudithook(note)
"""
LOCAL = {"AF_UNIX", "1"}
COMMANDS = (
    ("listen", "--device", "meditron", "--source", "demo", "--no-realtime"),
    ("score", "breath.wav", "--device", "meditron", "--jobs", "2", "--output", "out.jsonl"),
    ("doctor",),
    ("devices",),
)
OUTSIDE = ["unshare", "--user", "--map-root-user", "--net"]


@pytest.fixture
def watched(tmp_path: Path, models_folder: Path, write_sound: WriteSound, breathing: Breathing) -> dict[str, str]:
    """Variables under which every Python notes each use of a socket; a recording lies in the test's folder."""
    write_sound("breath.wav", breathing(10), 8000)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(WATCH)
    repository = Path(__file__).resolve().parents[2]
    return os.environ | {
        "PYTHONPATH": f"{hooks}{os.pathsep}{repository}",
        "NOTED": str(tmp_path / "noted"),
        "RESPIRE_EDGE_MODELS": str(models_folder),
    }


def run(arguments: tuple[str, ...], watched: dict[str, str], before: list[str] | None = None) -> Any:
    command = [*(before or []), sys.executable, *arguments]
    folder = Path(watched["NOTED"]).parent
    return subprocess.run(command, env=watched, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def noted(watched: dict[str, str]) -> list[tuple[str, str]]:
    path = Path(watched["NOTED"])
    lines = path.read_text().splitlines() if path.exists() else []
    return [(event, kind) for event, kind in (line.split() for line in lines)]


@pytest.mark.parametrize("arguments", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_no_command_opens_a_socket_that_leaves_the_machine(arguments: tuple[str, ...], watched: dict[str, str]) -> None:
    ran = run(("-m", "edge", *arguments), watched)
    assert ran.returncode == 0 or arguments == ("doctor",), ran.stderr
    assert ran.stdout or (Path(watched["NOTED"]).parent / "out.jsonl").stat().st_size
    assert [use for use in noted(watched) if use[1] not in LOCAL] == []


def test_the_watch_sees_sockets_also_of_children(watched: dict[str, str]) -> None:
    code = "import socket, subprocess, sys; socket.socket(socket.AF_UNIX).close(); "
    child = "import socket; socket.socket().close(); socket.getaddrinfo('localhost', 1)"
    assert run(("-c", code + f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"), watched).returncode == 0
    kinds = {kind for event, kind in noted(watched) if event == "socket.__new__"}
    assert len(kinds & LOCAL) == 1
    assert len(kinds - LOCAL) == 1
    assert any(event == "socket.getaddrinfo" for event, _ in noted(watched))


@pytest.mark.parametrize("arguments", COMMANDS[:2], ids=[command[0] for command in COMMANDS[:2]])
def test_commands_work_where_there_is_no_network(arguments: tuple[str, ...], watched: dict[str, str]) -> None:
    if shutil.which("unshare") is None or subprocess.run([*OUTSIDE, "true"], check=False).returncode != 0:
        pytest.skip("no network can be taken away here: unshare --user --net is refused")
    ran = run(("-m", "edge", *arguments), watched, before=OUTSIDE)
    assert (ran.returncode, "error" in ran.stderr) == (0, False), ran.stderr


def test_onnx_runtime_is_kept_from_reporting_to_its_maker(watched: dict[str, str], tmp_path: Path) -> None:
    """What it would send it first collects in the user's cache folder, with an identifier of the machine."""
    home = tmp_path / "home"
    home.mkdir()
    # It keeps still where it takes a machine for one that only tests.
    environ = {name: value for name, value in watched.items() if name not in ("CI", "GITHUB_ACTIONS", "TF_BUILD")}
    environ |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "ORT_DISABLE_TELEMETRY": "0"}
    ran = run(("-m", "edge", *COMMANDS[0]), environ)
    assert ran.returncode == 0
    assert [path for path in home.rglob("*") if path.is_file()] == []
