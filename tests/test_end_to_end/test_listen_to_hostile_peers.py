"""The real `respire-edge listen`, and peers that mean harm: it stays, stays small, and hears a good device later."""

from __future__ import annotations

import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import time
import wave
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.audio.lung_sounds import simulate_cycle
from firmware_bridge.frame import MAJOR_VERSION, Frame, encode_frame, stuff
from firmware_bridge.messages import Codec, Info, MessageType, frame_from_message

RATE_HZ, FRAME = 4000, 40
WAIT_S = 40.0
HARM_S = 0.6
"""For which each peer does its worst."""
MAX_GROWTH_MB = 24.0
"""What a listener may take for a peer's sake: what it reads at a time, a window of sound and what libraries keep."""
ENDED_S, SLOWNESS_S = 1.0, 2.0
"""From SIGTERM to the end, and what a machine of two busy cores may add."""
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
MAX_DATAGRAM_BYTES = 1400
INFO = encode_frame(frame_from_message(Info(boot_id=1, rate_numerator_hz=RATE_HZ)))

Harm = Iterator[bytes]


def sound(index: int, seq: int = 0, count: int = FRAME) -> bytes:
    payload = bytes(2 * FRAME)
    return encode_frame(Frame(MessageType.AUDIO, seq % 65536, index % 2**32, 0, Codec.PCM16, 0, count, payload))


def endless_frames() -> Harm:
    yield INFO
    for number in itertools.count(step=20):
        yield b"".join(sound(FRAME * (number + each), number + each) for each in range(20))


def sound_without_a_word_before() -> Harm:
    yield from itertools.repeat(sound(0) * 50)


def a_block_that_never_ends() -> Harm:
    yield from itertools.repeat(bytes(range(1, 256)) * 100)


def endless_delimiters() -> Harm:
    yield from itertools.repeat(bytes(1 << 16))


def forged_lengths() -> Harm:
    chance = random.Random(1)
    yield INFO
    while True:
        yield sound(0, count=chance.randrange(1 << 16))
        yield bytes([chance.randrange(1, 256)]) + chance.randbytes(chance.randrange(40)).replace(b"\0", b"\1") + b"\0"


def wrong_versions() -> Harm:
    for version in itertools.cycle(set(range(16)) - {MAJOR_VERSION}):
        yield stuff(b"body without a CRC") + b"\0" + version_of(version)


def version_of(version: int) -> bytes:
    """A whole frame of another version."""
    body = bytes([0xA0 | version, MessageType.INFO]) + bytes(14)
    return stuff(body + crc_hqx(body, 0xFFFF).to_bytes(2, "little")) + b"\0"


def leaps_of_the_sample_number() -> Harm:
    yield INFO
    chance = random.Random(2)
    for number in itertools.count():
        yield sound(chance.choice((0, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, chance.getrandbits(32))), number)


def new_boots_without_end() -> Harm:
    for boot_id in itertools.count():
        yield encode_frame(frame_from_message(Info(boot_id=boot_id, rate_numerator_hz=RATE_HZ))) + sound(0)


def rates_that_no_host_takes() -> Harm:
    for rate_hz in itertools.cycle((1, 3999, 2**32 - 1)):
        yield encode_frame(frame_from_message(Info(boot_id=1, rate_numerator_hz=rate_hz)))


def noise() -> Harm:
    chance = random.Random(3)
    while True:
        yield chance.randbytes(1 << 14)


def nothing() -> Harm:
    while True:
        time.sleep(0.05)
        yield b""


HARMS: tuple[Callable[[], Harm], ...] = (
    endless_frames, sound_without_a_word_before, a_block_that_never_ends, endless_delimiters, forged_lengths,
    wrong_versions, leaps_of_the_sample_number, new_boots_without_end, rates_that_no_host_takes, noise, nothing,
)  # fmt: skip


@dataclass
class Listener:
    """A running `listen`."""

    process: subprocess.Popen[str]
    port: int
    output: Path

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]


@dataclass(frozen=True)
class Visit:
    """How they all left a listener."""

    reached: dict[str, int]
    survived: dict[str, bool]
    grown_mb: dict[str, float]
    records: list[dict[str, Any]]
    ended_s: float
    exit_code: int
    errors: str


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Visit]:
    """Over TCP and over UDP at the same time."""
    folders = {scheme: tmp_path_factory.mktemp(scheme) for scheme in ("tcp", "udp")}
    with ThreadPoolExecutor() as pool:
        return dict(zip(folders, pool.map(visited, folders, folders.values()), strict=True))


@pytest.fixture(params=["tcp", "udp"])
def visit(request: pytest.FixtureRequest, visits: dict[str, Visit]) -> Visit:
    return visits[request.param]


def visited(scheme: str, folder: Path) -> Visit:
    listener = started(scheme, folder)
    try:
        before_mb = settled_mb(listener)
        reached, survived, grown_mb = {}, {}, {}
        for harm in HARMS:
            reached[harm.__name__] = befall(scheme, listener.port, harm())
            survived[harm.__name__] = listener.process.poll() is None
            grown_mb[harm.__name__] = listener.resident_mb() - before_mb
        if scheme == "tcp":
            come_and_go(listener.port)
        good_device(scheme, listener, folder)
        begin_s = time.monotonic()
        listener.process.send_signal(signal.SIGTERM)
        _, errors = listener.process.communicate(timeout=WAIT_S)
        ended_s = time.monotonic() - begin_s
    finally:
        listener.process.kill()
        listener.process.communicate()
    return Visit(reached, survived, grown_mb, listener.records(), ended_s, listener.process.returncode, errors)


def started(scheme: str, folder: Path) -> Listener:
    with socket.socket(socket.AF_INET, KINDS[scheme]) as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    output = folder / "results.jsonl"
    command = [sys.executable, "-m", "edge", "listen", "--device", "meditron", "--wait-for-source", "--hop", "0.5"]
    command += ["--source", f"{scheme}://:{port}", "--output", str(output)]
    return Listener(subprocess.Popen(command, stderr=subprocess.PIPE, text=True), port, output)


def settled_mb(listener: Listener) -> float:
    """What it takes once it listens: the engine is open, and the output is there."""
    deadline_s = time.monotonic() + WAIT_S
    while not listener.output.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    time.sleep(0.3)
    return listener.resident_mb()


def befall(scheme: str, port: int, harm: Harm) -> int:
    """Do it for `HARM_S` from when somebody listens, again and again where that is hung up on; never read an answer.

    Returns how often something was taken.
    """
    taken, until_s = 0, time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        try:
            with connected(scheme, port) as peer:
                for data in harm:
                    peer.sendall(data if scheme == "tcp" else data[:MAX_DATAGRAM_BYTES])
                    until_s = min(until_s, time.monotonic() + HARM_S)
                    taken += 1
                    if time.monotonic() >= until_s:
                        break
        except OSError:  # not listened to just now, turned away or hung up on
            time.sleep(0.01)
    return taken


def connected(scheme: str, port: int) -> socket.socket:
    peer = socket.socket(socket.AF_INET, KINDS[scheme])
    peer.settimeout(0.2)
    try:
        peer.connect(("127.0.0.1", port))
    except OSError:
        peer.close()
        raise
    return peer


def come_and_go(port: int) -> None:
    end_s = time.monotonic() + HARM_S
    while time.monotonic() < end_s:
        try:
            connected("tcp", port).close()
        except OSError:
            time.sleep(0.01)


def good_device(scheme: str, listener: Listener, folder: Path) -> None:
    """A simulated one, until a result of its sound is there."""
    begun = len(listener.records())
    rng = np.random.default_rng(5)
    cycles = np.concatenate([simulate_cycle("normal", RATE_HZ, rng) for _ in range(6)])
    with wave.open(str(folder / "good.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((cycles * 32767).astype("<i2").tobytes())
    command = [sys.executable, "-m", "edge", "bridge", "simulate", str(folder / "good.wav"), "--loop", "--speed", "4"]
    command += ["--transport", scheme, "--to", f"127.0.0.1:{listener.port}", "--seconds", str(WAIT_S)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as device:
        try:
            deadline_s = time.monotonic() + WAIT_S
            while not any(is_labelled(record) for record in listener.records()[begun:]):
                assert time.monotonic() < deadline_s, listener.records()[-3:]
                assert listener.process.poll() is None
                time.sleep(0.1)
        finally:
            device.kill()


def is_labelled(record: dict[str, Any]) -> bool:
    return record["record"] == "result" and record["label"] is not None


def test_it_is_there_after_each_of_them(visit: Visit) -> None:
    assert all(visit.survived.values()), visit.survived
    assert min(visit.reached.values()) > 0, visit.reached
    assert len(visit.survived) == len(HARMS)


def test_none_of_them_makes_it_large(visit: Visit) -> None:
    assert max(visit.grown_mb.values()) < MAX_GROWTH_MB, visit.grown_mb


def test_a_good_device_that_comes_after_them_is_heard(visit: Visit) -> None:
    assert any(is_labelled(record) for record in visit.records)


def test_what_they_did_is_told_within_bounds(visit: Visit) -> None:
    events = [record["event"] for record in visit.records if record["record"] == "event"]
    assert "device-info" in events
    assert len(events) < 400


def test_asked_to_end_it_ends_without_a_traceback(visit: Visit) -> None:
    assert visit.exit_code == 0
    assert visit.ended_s < ENDED_S + SLOWNESS_S
    assert "Traceback" not in visit.errors
