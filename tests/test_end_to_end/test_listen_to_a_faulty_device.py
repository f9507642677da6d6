"""`respire-edge listen` to a simulated device with every fault at once, over what a real one would use."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from edge.audio.lung_sounds import simulate_cycle

RATE_HZ = 4000
TRANSPORTS = ("tcp", "udp", "pty")
LISTENED_S = 13.0
"""A window is 5 s long, and one of the device's restarts comes within the first."""
FAULTS = (
    "--loss", "0.5%", "--burst", "40ms", "--burst-every", "4s", "--corrupt", "2e-5", "--duplicate", "1%",
    "--jitter", "8ms", "--ppm", "120", "--restart", "5s",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a device and its host said."""

    code: int
    errors: str
    records: list[dict[str, Any]]
    device_said: list[str]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["record"] == kind]

    @property
    def made(self) -> Mapping[str, int]:
        """Faults, by the device's last line."""
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", self.device_said[-1])}


@dataclass
class Running:
    """One `listen` and its device."""

    listening: subprocess.Popen[str]
    device: subprocess.Popen[str]
    device_said: IO[str]
    output: Path


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """One run a transport, all of them at the same time."""
    folder = tmp_path_factory.mktemp("faulty")
    recording = written_breathing(folder)
    possible = [each for each in TRANSPORTS if each != "pty" or importlib.util.find_spec("serial")]
    running = {transport: started(transport, recording, folder) for transport in possible}
    try:
        time.sleep(LISTENED_S)
        return {transport: ended(each) for transport, each in running.items()}
    finally:
        for each in running.values():
            each.device.kill()
            each.listening.kill()
            each.device.wait()
            each.listening.wait()
            each.device_said.close()


@pytest.fixture(params=TRANSPORTS)
def outcome(outcomes: Mapping[str, Outcome], request: pytest.FixtureRequest) -> Outcome:
    if request.param not in outcomes:
        pytest.skip("no serial ports: pyserial is not installed")
    return outcomes[request.param]


def written_breathing(folder: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(5)
    breathing = np.concatenate([simulate_cycle("wheeze", RATE_HZ, rng) for _ in range(4)])
    soundfile.write(folder / "breathing.wav", breathing, RATE_HZ)
    return folder / "breathing.wav"


def started(transport: str, recording: Path, folder: Path) -> Running:
    said, output = folder / f"{transport}.txt", folder / f"{transport}.jsonl"
    extra = ["--reorder", "1%"] if transport == "udp" else []
    to = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "edge", "bridge", "simulate", str(recording), "--loop", "--to", to]
    with said.open("w") as stream:
        device = subprocess.Popen([*command, "--transport", transport, *FAULTS, *extra], stdout=stream, text=True)
    uri = first_line(said)
    listen = [sys.executable, "-m", "edge", "listen", "--device", "meditron", "--hop", "0.5", "--wait-for-source"]
    listening = subprocess.Popen([*listen, "--source", uri, "--output", str(output)], stderr=subprocess.PIPE, text=True)
    return Running(listening, device, said.open(), output)


def ended(running: Running) -> Outcome:
    running.listening.send_signal(signal.SIGINT)
    _, errors = running.listening.communicate(timeout=20)
    running.device.send_signal(signal.SIGINT)
    running.device.wait(timeout=10)
    records = [json.loads(line) for line in running.output.read_text(encoding="utf-8").splitlines()]
    return Outcome(running.listening.returncode, errors, records, running.device_said.read().splitlines())


def first_line(path: Path) -> str:
    deadline_s = time.monotonic() + 30
    while "\n" not in path.read_text() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return path.read_text().splitlines()[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_results_come_at_every_hop_through_all_of_it(outcome: Outcome) -> None:
    ends_s = [result["end_s"] for result in outcome.of_kind("result")]
    assert outcome.code == 0, outcome.errors
    assert len(ends_s) >= 4
    np.testing.assert_allclose(np.diff(ends_s[:-1]), 0.5, atol=1e-6)
    assert 0 < ends_s[-1] - ends_s[-2] <= 0.5, "the last window ends where listening did"


def test_every_fault_was_made_and_the_restarts_are_told(outcome: Outcome) -> None:
    made = outcome.made
    assert min(made["lost"], made["corrupted"], made["duplicated"], made["restarts"]) > 0
    names = [event["event"] for event in outcome.of_kind("event")]
    assert 1 <= names.count("device-restarted") <= made["restarts"]
    assert "source-lost" not in names, "a restart of less than 2 s is no loss of the device"


def test_a_window_with_a_restart_in_it_gets_no_label(outcome: Outcome) -> None:
    restart_s = next(event["start_s"] for event in outcome.of_kind("event") if event["event"] == "device-restarted")
    hit = [each for each in outcome.of_kind("result") if each["start_s"] < restart_s - 1 and each["end_s"] > restart_s]
    assert hit
    for result in hit:
        assert result["label"] is None
        assert "gap" in [reason["name"] for reason in result["quality"]["reasons"]]


def test_the_device_is_shown_what_was_heard(outcome: Outcome) -> None:
    shown = [line for line in outcome.device_said if line.startswith("result")]
    assert outcome.made["results"] == len(shown) > 0


def test_nobody_sees_a_traceback(outcome: Outcome) -> None:
    assert "Traceback" not in outcome.errors + "\n".join(outcome.device_said)
