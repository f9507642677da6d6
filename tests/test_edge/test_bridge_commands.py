"""`respire-edge bridge`: a simulated device in a process of its own, and whoever looks at it in this one."""

from __future__ import annotations

import json
import re
import socket
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.bridge import BridgeSource
from edge.audio.live_source import Persistence
from edge.audio.pacing import SYSTEM_PACE
from edge.audio.source import AudioSource, open_source
from edge.bridging.command_line import duration, share
from edge.bridging.monitor import lines
from edge.bridging.simulate import line_from_result
from edge.bridging.watched_link import WatchedLink
from edge.pipeline import Classifier, Pipeline
from edge.results import Result
from firmware_bridge.capture import CapturedTransport, CaptureWriter, read_capture
from firmware_bridge.impairments import Impairments, Way
from firmware_bridge.link import Link
from firmware_bridge.messages import NO_LABEL, WindowResult
from firmware_bridge.news import Told
from firmware_bridge.simulator import Heard, Settings, SimulatedDevice
from firmware_bridge.transports.transport import Transport

if TYPE_CHECKING:
    import subprocess

Float32 = NDArray[np.float32]
Breathing = Callable[..., Float32]
RunCommand = Callable[..., Any]
StartCommand = Callable[..., "subprocess.Popen[str]"]
WriteSound = Callable[..., Path]
RATE_HZ = 4000


@pytest.fixture
def recording(breathing: Breathing, write_sound: WriteSound) -> Path:
    return write_sound("breathing.wav", breathing(12, RATE_HZ), RATE_HZ)


def first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def counts(line: str) -> Mapping[str, int]:
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)}


def started(start_command: StartCommand, recording: Path, *arguments: object) -> tuple[subprocess.Popen[str], str]:
    """A simulated device over TCP, and what the host opens to hear it."""
    to = f"127.0.0.1:{free_port()}"
    device = start_command("bridge", "simulate", recording, "--transport", "tcp", "--to", to, *arguments)
    uri = first_line(device)
    assert uri == f"tcp://{to}"
    return device, uri


def ended(device: subprocess.Popen[str]) -> None:
    device.kill()
    device.communicate()


def test_info_says_what_the_device_says(start_command: StartCommand, run_command: RunCommand, recording: Path) -> None:
    device, uri = started(start_command, recording, "--codec", "mulaw", "--loop")
    ran = run_command("bridge", "info", uri, "--json")
    assert (ran.code, ran.err) == (0, "")
    said = json.loads(ran.out)
    assert (said["model"], said["sample_rate_hz"], said["codecs"]) == ("simulated stethoscope", 4000, "MULAW, PCM16")
    table = run_command("bridge", "info", uri)
    assert table.code == 0
    assert re.search(r"^sample_rate_hz +4000", table.out, re.MULTILINE)
    device.terminate()
    device.communicate(timeout=10)
    assert device.returncode == 0


def test_monitor_counts_the_faults_that_the_device_made(
    start_command: StartCommand, run_command: RunCommand, recording: Path
) -> None:
    faults = ("--speed", "4", "--loss", "3%", "--duplicate", "3%", "--seed", "5")
    device, uri = started(start_command, recording, *faults)
    ran = run_command("bridge", "monitor", uri, "--seconds", "4.5s")
    made = counts(device.communicate(timeout=20)[0].splitlines()[-1])
    seen = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, device.returncode, ran.err) == (0, 0, "")
    assert len(seen) >= 4
    last = seen[-1]
    assert made["lost"] - 3 <= last["missing_frames"] <= made["lost"]
    assert made["duplicated"] - 5 <= last["duplicates"] <= made["duplicated"]
    assert last["battery_percent"] == 100
    assert last["round_trip_ms"] > 0
    assert last["samples"] == pytest.approx(12 * RATE_HZ, abs=200)
    names = [told["name"] for each in seen for told in each["told"]]
    assert names[0] == "device-info"
    assert "last-frame" in names or made["lost"]


def test_a_capture_is_what_the_wire_carried_and_plays_as_often_as_one_likes(
    start_command: StartCommand, run_command: RunCommand, recording: Path, tmp_path: Path
) -> None:
    capture = tmp_path / "heard.rbcap"
    device, uri = started(start_command, recording, "--loss", "2%", "--corrupt", "1e-4", "--jitter", "8ms")
    ran = run_command("bridge", "record", uri, "--output", capture, "--seconds", "3s")
    ended(device)
    assert (ran.code, ran.err) == (0, "")
    with capture.open("rb") as stream:
        size = sum(len(record.data) for record in read_capture("", stream) if record.direction == 0)
    assert f"{size} bytes of the device" in ran.out
    assert capture.stat().st_mode & 0o077 == 0, "it holds a person's sound"
    shown = [run_command("bridge", "monitor", f"{capture}?speed=max") for _ in range(2)]
    assert shown[0].out == shown[1].out
    last = json.loads(shown[0].out.splitlines()[-1])
    assert last["bytes"] == size
    assert last["samples"] == pytest.approx(3 * RATE_HZ, rel=0.2)

    before = capture.read_bytes()
    again = run_command("bridge", "record", uri, "--output", capture, "--seconds", "1s")
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "is there already" in again.err
    assert capture.read_bytes() == before


class Tapped:
    """A simulated device at the end of a transport in this process, by the real clock and in real bytes."""

    name = "tapped:"

    def __init__(self, samples: Float32, wrong: Impairments, settings: Settings) -> None:
        self._device = SimulatedDevice(samples[:, np.newaxis], settings, Random(3), time.monotonic())
        self._way = Way(wrong, Random(3))

    def read(self, timeout_s: float) -> bytes:
        time.sleep(min(timeout_s, 0.02))
        arrived = self._way.carry(self._device.due(time.monotonic()))
        return b"".join(parcel.data for parcel in arrived)

    def write(self, data: bytes) -> None:
        self._device.take(data, time.monotonic())

    def close(self) -> None:
        pass


def results_of(source: AudioSource, classifier: Classifier, end_s: float) -> list[Result]:
    """Of the windows that end by `end_s`."""
    pipeline = Pipeline(classifier, "", RATE_HZ, 0.5)
    results: list[Result] = []
    for block in source.blocks():
        results += pipeline.push(block)
        if results and results[-1].end_s >= end_s:
            break
    return [result for result in results if result.end_s <= end_s]


def test_a_capture_played_again_gives_the_results_of_the_live_run(
    breathing: Breathing, classifier: Classifier, tmp_path: Path
) -> None:
    wrong = Impairments(loss=0.002, corrupt=2e-5, duplicate=0.02, burst_s=0.04, burst_every_s=3.0)
    capture = tmp_path / "live.rbcap"
    with capture.open("wb") as stream:
        writer = CaptureWriter(stream)
        device = Tapped(breathing(30, RATE_HZ), wrong, Settings(RATE_HZ, ppm=120))

        def opening() -> Transport:
            return CapturedTransport(device, writer, time.monotonic)

        with BridgeSource("tapped:", opening, pace=SYSTEM_PACE, persistence=Persistence(1)) as live:
            heard = results_of(live, classifier, 8.0)
    with open_source(str(capture), realtime=False) as played:
        again = results_of(played, classifier, 8.0)
    assert [result.end_s for result in heard] == [7.0, 7.5, 8.0]
    assert [without_time(result) for result in again] == [without_time(result) for result in heard]


def without_time(result: Result) -> tuple[object, ...]:
    return result.start_s, result.end_s, result.label, result.probabilities, result.quality


def test_the_simulator_resamples_to_the_rate_that_was_asked_for(
    start_command: StartCommand, run_command: RunCommand, breathing: Breathing, write_sound: WriteSound
) -> None:
    device, uri = started(start_command, write_sound("fast.wav", breathing(3, 8000), 8000), "--rate", "5000")
    assert json.loads(run_command("bridge", "info", uri, "--json").out)["sample_rate_hz"] == 5000
    ended(device)


def test_a_pseudo_terminal_is_named_ready_to_paste(start_command: StartCommand, recording: Path) -> None:
    device = start_command("bridge", "simulate", recording, "--transport", "pty", "--seconds", "100ms")
    uri = first_line(device)
    assert uri.startswith("serial:///dev/")
    assert Path(uri.removeprefix("serial://")).parent.is_dir()
    rest, errors = device.communicate(timeout=10)
    assert (device.returncode, errors) == (0, "")
    assert counts(rest.splitlines()[-1])["restarts"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bridge"], "COMMAND"),
        (["bridge", "info", "gopher://x"], "no such way to a device"),
        (["bridge", "info", "serial:///dev/nothing-there"], "nothing-there"),
        (["bridge", "monitor", "absent.rbcap"], "absent.rbcap: cannot be read"),
        (["bridge", "monitor", "tcp://:99999"], "tcp://:PORT"),
        (["bridge", "record", "tcp://:9", "--output", "x.wav"], "let it end in .rbcap"),
        (["bridge", "simulate", "absent.wav"], "absent.wav"),
        (["bridge", "simulate", "x.wav", "--loss", "110%"], "110% is no share"),
        (["bridge", "simulate", "x.wav", "--burst", "40 miles"], "40 miles is no time"),
        (["bridge", "simulate", "x.wav", "--codec", "mp3"], "mp3"),
        (["bridge", "simulate", "x.wav", "--transport", "tcp", "--reorder", "1%"], "add --transport udp"),
        (["bridge", "simulate", "RECORDING", "--transport", "tcp", "--to", "there"], "not HOST:PORT"),
        (["bridge", "simulate", "RECORDING", "--rate", "96000"], "choose no more"),
        (["bridge", "simulate", "RECORDING", "--frame", "1s"], "name less time"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    run_command: RunCommand, recording: Path, arguments: list[str], said: str
) -> None:
    if "serial" in str(arguments):
        pytest.importorskip("serial")
    ran = run_command(*[str(recording) if each == "RECORDING" else each for each in arguments])
    assert ran.code in (1, 2)
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert said in ran.err


def test_where_nothing_opens_no_capture_is_left_behind(run_command: RunCommand, tmp_path: Path) -> None:
    absent, output = tmp_path / "absent.rbcap", tmp_path / "new.rbcap"
    ran = run_command("bridge", "record", absent, "--output", output)
    assert ran.code == 2
    assert not output.exists()


@pytest.mark.parametrize(("text", "value"), [("1%", 0.01), ("0.5%", 0.005), ("1e-4", 1e-4), ("0", 0.0), ("100%", 1.0)])
def test_a_share_is_a_number_or_per_cent(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), [("40ms", 0.04), ("30s", 30), ("2", 2), ("5min", 300), ("1.5h", 5400)])
def test_a_time_has_its_unit_or_is_in_seconds(text: str, value: float) -> None:
    assert duration(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "%", "-1%", "nan", "1e", "2", "1", "1.0"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no share"):
        share(text)


@pytest.mark.parametrize("text", ["", "ms", "-1s", "0", "1 s", "1..2s", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no time"):
        duration(text)


def test_the_screen_holds_every_counter_within_its_width() -> None:
    def nothing() -> Transport:
        raise AssertionError

    link = WatchedLink(Link("serial:///dev/ttyACM0", nothing, time.monotonic), time.monotonic, time.sleep)
    shown = list(lines(link, [Told("button", 0, {"text": "pressed"})], 80))
    assert max(map(len, shown)) <= 80
    assert len(shown) <= 24
    text = "\n".join(shown)
    for name in ("phase", "ppm", "battery_percent", "crc_errors", "missing_frames", "duplicates", "late", "restarts"):
        assert re.search(rf"\b{name} \S", text)
    assert "button text=pressed" in text


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (WindowResult(7000, 2, 81), "result     7.00 s  wheeze 81 %"),
        (WindowResult(7000, NO_LABEL, 0, 9), "result     7.00 s  refused"),
    ],
)
def test_a_result_is_shown_as_a_device_would(result: WindowResult, line: str) -> None:
    assert line_from_result(Heard(7.0, result)) == line
