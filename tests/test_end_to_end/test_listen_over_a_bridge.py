"""The real `respire-edge listen`, and a device that speaks PROTOCOL.md to it over TCP."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import wave
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.lung_sounds import simulate_cycle
from edge.labels import LABELS
from edge.signal.spec import AUDIOSET
from firmware_bridge.frame import Frame, FrameDecoder, encode_frame
from firmware_bridge.messages import NO_LABEL, Codec, Info, MessageType, WindowResult, frame_from_message, maybe_message

RATE_HZ, FRAME, HOP_S = 4000, 80, 0.5
PLAYED_S = 10.5
SPEED = 5
"""How much faster than it would sound the device plays: the test need not wait for a window."""
WAIT_S = 30.0
ENDED_S, SLOWNESS_S = 1.0, 2.0
"""From SIGTERM to the end, and what a machine of two busy cores may add."""

Record = dict[str, Any]


@dataclass
class Device:
    """A stethoscope that connects, says what it is when asked, plays once it may, and keeps what it is told."""

    connection: socket.socket
    sound: NDArray[np.int16]
    results: list[tuple[int, WindowResult]] = field(default_factory=list)
    heard: set[int] = field(default_factory=set)
    _decoder: FrameDecoder = field(default_factory=FrameDecoder)
    _began_s: float | None = None
    _played: int = 0
    _seq: int = 0

    def turn(self) -> None:
        """Listen for a moment, answer, and play what is due."""
        for frame in self._decoder.feed(self._received()):
            self.heard.add(frame.type)
            self._answer(frame)
        while self._began_s is not None and self._played < min(self._due(), len(self.sound)):
            self._play()

    def _received(self) -> bytes:
        self.connection.settimeout(0.02)
        try:
            return self.connection.recv(4096)
        except TimeoutError:
            return b""

    def _answer(self, frame: Frame) -> None:
        if frame.type == MessageType.HELLO:
            self._say(frame_from_message(Info(boot_id=7, rate_numerator_hz=RATE_HZ, model="test")))
        elif frame.type == MessageType.START:
            self._began_s, self._played = time.monotonic(), 0
        elif frame.type == MessageType.PING:
            self._say(replace(frame, type=MessageType.PONG))
        elif isinstance(message := maybe_message(frame), WindowResult):
            self.results.append((frame.sample_index, message))

    def _due(self) -> int:
        assert self._began_s is not None
        return int((time.monotonic() - self._began_s) * SPEED * RATE_HZ)

    def _play(self) -> None:
        payload = self.sound[self._played : self._played + FRAME].astype("<i2").tobytes()
        self._say(Frame(MessageType.AUDIO, 0, self._played, 0, Codec.PCM16, 0, len(payload) // 2, payload))
        self._played += FRAME

    def _say(self, frame: Frame) -> None:
        self._seq = (self._seq + 1) % (1 << 16)
        self.connection.sendall(encode_frame(replace(frame, seq=self._seq)))


@dataclass(frozen=True)
class Heard:
    """What was left of one run."""

    device: Device
    records: list[Record]
    ended_s: float
    exit_code: int

    @property
    def results(self) -> list[Record]:
        return results_of(self.records)


def results_of(records: list[Record]) -> list[Record]:
    return [record for record in records if record["record"] == "result"]


def records_in(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def command(source: str, output: Path, *options: str) -> list[str]:
    begin = [sys.executable, "-m", "edge", "listen", "--device", "meditron", "--hop", str(HOP_S)]
    return [*begin, "--source", source, "--output", str(output), *options]


def connected(port: int) -> socket.socket:
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < deadline_s, "nobody listens"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def sound() -> NDArray[np.int16]:
    rng = np.random.default_rng(5)
    cycles = np.concatenate([simulate_cycle(label, RATE_HZ, rng) for label in ("normal", "wheeze", "crackle", "both")])
    return (cycles[: round(PLAYED_S * RATE_HZ)] * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def heard(sound: NDArray[np.int16], tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """`listen` on a port, a device that plays its sound there, and SIGTERM after the last result."""
    output = tmp_path_factory.mktemp("bridge") / "results.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    with subprocess.Popen(command(f"tcp://:{port}", output)) as listening, connected(port) as connection:
        device = Device(connection, sound)
        try:
            deadline_s = time.monotonic() + WAIT_S
            while len(device.results) < 1 + (PLAYED_S - AUDIOSET.window_s) / HOP_S:
                device.turn()
                assert time.monotonic() < deadline_s, f"{len(device.results)} results"
            begin_s = time.monotonic()
            listening.send_signal(signal.SIGTERM)
            exit_code = listening.wait(WAIT_S)
            ended_s = time.monotonic() - begin_s
            device.turn()
        finally:
            listening.kill()
    return Heard(device, records_in(output), ended_s, exit_code)


def test_a_device_is_greeted_started_pinged_and_stopped(heard: Heard) -> None:
    said = {MessageType.HELLO, MessageType.START, MessageType.PING, MessageType.RESULT, MessageType.STOP}
    assert heard.device.heard == said


def test_its_results_are_those_of_the_same_sound_in_a_file(
    heard: Heard, sound: NDArray[np.int16], tmp_path: Path
) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())
    output = tmp_path / "file.jsonl"
    subprocess.run(command(str(tmp_path / "a.wav"), output, "--no-realtime"), check=True, timeout=WAIT_S)
    for over_bridge, of_file in zip(heard.results, results_of(records_in(output)), strict=True):
        for name in ("start_s", "end_s", "label", "quality"):
            assert over_bridge[name] == of_file[name]
        assert list(over_bridge["probabilities"].values()) == pytest.approx(
            list(of_file["probabilities"].values()), abs=1e-3
        )


def test_every_result_reaches_the_device(heard: Heard) -> None:
    written = [
        (round(result["end_s"] * RATE_HZ), NO_LABEL if result["label"] is None else LABELS.index(result["label"]))
        for result in heard.results
    ]
    assert [(end_sample, result.label) for end_sample, result in heard.device.results] == written
    assert any(label != NO_LABEL for _, label in written)
    assert {result.window_ms for _, result in heard.device.results} == {5000}


def test_what_the_device_says_of_itself_is_written(heard: Heard) -> None:
    (info,) = [record for record in heard.records if record.get("event") == "device-info"]
    assert (info["model"], info["sample_rate_hz"], info["codec"]) == ("test", RATE_HZ, "PCM16")
    assert not [record for record in heard.records if record.get("event") in ("sound-lost", "source-lost")]


def test_sigterm_ends_it_within_a_second(heard: Heard) -> None:
    assert heard.ended_s < ENDED_S + SLOWNESS_S
    assert heard.exit_code == 0
