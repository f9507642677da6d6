"""What a service manager hears from `listen`, over real sockets, and that it hears nothing from a loop that hangs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.audio.block import AudioBlock
from edge.errors import UsageError
from edge.labels import LABELS
from edge.service.heartbeat import Heartbeat
from edge.service.service_notification import ServiceManager, maybe_service_manager, maybe_watchdog_s

StartCommand = Callable[..., "subprocess.Popen[str]"]
RunCommand = Callable[..., Any]
PATIENCE_S = 60
WATCHDOG_S = 0.4
WATCHED = {"WATCHDOG_USEC": f"{WATCHDOG_S * 1e6:.0f}"}
HANGING = """
import sys, time
from edge.cli import main
from edge.engine.onnx import OnnxEngine
infer, calls = OnnxEngine.infer, []
def hang_on_the_third(self, images):
    calls.append(0)
    if len(calls) > 2:
        print("hangs", file=sys.stderr, flush=True)
        time.sleep(600)
    return infer(self, images)
OnnxEngine.infer = hang_on_the_third
main(sys.argv[1:])
"""


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket, and how $NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@respire-edge-test-{os.getpid()}-{id(tmp_path)}"
    with listening_socket(name) as heard:
        yield heard, name


def listening_socket(name: str) -> socket.socket:
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.settimeout(PATIENCE_S)
    heard.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
    return heard


def received(heard: socket.socket) -> list[str]:
    return heard.recv(4096).decode().split("\n")


def test_listening_says_ready_then_pets_the_watchdog_then_says_stopping(
    manager: tuple[socket.socket, str], start_command: StartCommand
) -> None:
    heard, name = manager
    process = start_command(
        "listen", "--device", "meditron", "--source", "demo", environ={"NOTIFY_SOCKET": name, **WATCHED}
    )
    ready = received(heard)
    assert ready[0] == "READY=1"
    assert any(line.startswith("STATUS=listening; ") for line in ready)
    for _ in range(3):
        assert "WATCHDOG=1" in received(heard)
    process.terminate()
    messages = [received(heard)]
    while "STOPPING=1" not in messages[-1]:
        messages.append(received(heard))
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    told = " ".join(line for message in messages for line in message)
    assert not any(word in told for word in ("demo", "simulated", "meditron", *LABELS))


def test_a_loop_that_hangs_is_silent_so_that_the_service_manager_ends_it(tmp_path: Path, models_folder: Path) -> None:
    with listening_socket(str(tmp_path / "notify")) as heard:
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "RESPIRE_EDGE_MODELS": str(models_folder), **WATCHED}
        process = subprocess.Popen(
            [sys.executable, "-c", HANGING, "listen", "--device", "meditron", "--source", "demo", "--no-realtime"],
            env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        while "hangs" not in process.stderr.readline():
            pass
        drain(heard)
        heard.settimeout(4 * WATCHDOG_S)
        with pytest.raises(TimeoutError):
            received(heard)
        assert process.poll() is None
        process.kill()  # as deploy/respire-edge.service has it done
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == -9


def drain(heard: socket.socket) -> None:
    """Take what was sent before."""
    heard.setblocking(False)
    try:
        while True:
            heard.recv(4096)
    except BlockingIOError:
        pass


def test_the_status_counts_results_and_tells_of_missing_sound(
    manager: tuple[socket.socket, str],
) -> None:
    heard, name = manager
    now_s = [0.0]
    heartbeat = Heartbeat(ServiceManager(name), None, None, lambda: now_s[0])
    sound = AudioBlock(np.zeros(10, np.float32))
    refused: Any = SimpleNamespace(quality=SimpleNamespace(ok=False))
    heartbeat.take_block(sound)
    assert received(heard) == ["READY=1", "STATUS=listening; 0 results, 0 of them refused for their quality"]
    heartbeat.take_result(refused)
    now_s[0] = 1.0
    heartbeat.take_block(sound)
    assert received(heard) == ["STATUS=listening; 1 results, 1 of them refused for their quality"]
    now_s[0] = 9.0
    heartbeat.take_block(AudioBlock(sound.samples[:0]))
    assert received(heard)[0].startswith("STATUS=no sound from the source for 8 s; 1 results")
    heartbeat.close()
    assert received(heard) == ["STOPPING=1"]


def test_a_service_manager_that_went_away_does_not_end_listening(
    tmp_path: Path, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    ran = run_command("listen", "--device", "meditron", "--source", "demo", "--no-realtime")
    assert ran.code == 0
    assert len(ran.results) > 10


def test_a_service_manager_that_does_not_read_does_not_hold_up_the_loop(manager: tuple[socket.socket, str]) -> None:
    heard, name = manager
    told = ServiceManager(name)
    for _ in range(5000):
        told.tell("WATCHDOG=1")
    told.close()
    assert received(heard) == ["WATCHDOG=1"]


def test_a_value_cannot_add_another_assignment(manager: tuple[socket.socket, str]) -> None:
    heard, name = manager
    told = ServiceManager(name)
    told.tell("STATUS=one\nMAINPID=1", "READY=1")
    told.close()
    assert received(heard) == ["STATUS=one MAINPID=1", "READY=1"]


@pytest.mark.parametrize("address", ["", "@", "/", "vsock:2:1234", "relative/path"])
def test_nobody_is_told_where_the_address_is_no_unix_socket(address: str) -> None:
    assert maybe_service_manager({"NOTIFY_SOCKET": address}) is None
    assert maybe_service_manager({}) is None


def test_the_watchdog_is_petted_by_the_process_that_it_watches_alone() -> None:
    assert maybe_watchdog_s({}) is None
    assert maybe_watchdog_s({"WATCHDOG_USEC": "30000000"}) == 30
    assert maybe_watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, process_id=7) == 30
    assert maybe_watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, process_id=8) is None


@pytest.mark.parametrize("value", ["soon", "-1", "0", "1.5", "٣"])
def test_a_watchdog_without_a_time_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(UsageError, match=f"^WATCHDOG_USEC={value}: not a number .*; unset it$"):
        maybe_watchdog_s({"WATCHDOG_USEC": value})
