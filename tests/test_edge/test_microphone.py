"""Capture through PortAudio from a real sound server; no card is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.audio.audio_input import AudioInput
from edge.audio.block import AudioBlock
from edge.audio.inputs import list_inputs
from edge.audio.live_source import Persistence
from edge.audio.lung_sounds import simulate_cycle
from edge.audio.microphone import MicrophoneSource
from edge.audio.source import AudioSource, StoppedWaiting, open_source
from edge.errors import AudioDeviceError
from edge.events import Event

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.sound_server import SoundServer

SETTLING_S = 0.5
"""Silence ahead of what is played: the start of a stream may be lost while server and program find each other."""

PAUSE_S = 2.0
LISTENING = """
import sys
from edge.audio.microphone import MicrophoneSource
with MicrophoneSource(sys.argv[1]) as source:
    for block in source.blocks():
        for event in block.events:
            print(event.name, flush=True)
        if block.samples.size:
            print("sound", flush=True)
"""


def blocks_for(source: AudioSource, seconds: float) -> list[AudioBlock]:
    """What the microphone delivers in so much sound."""
    wanted = round(seconds * source.sample_rate_hz)
    heard = 0

    def wanting(block: AudioBlock) -> bool:
        nonlocal heard
        heard += block.samples.size
        return heard <= wanted

    return list(takewhile(wanting, source.blocks()))


def aligned(captured: NDArray[np.float32], played: NDArray[np.float32]) -> NDArray[np.float32]:
    """The stretch of `captured` that fits `played` best."""
    size = 2 ** int(np.ceil(np.log2(captured.size + played.size)))
    fit = np.fft.irfft(np.fft.rfft(captured, size) * np.conj(np.fft.rfft(played, size)), size)
    start = int(np.argmax(fit[: captured.size]))
    return captured[start : start + played.size]


def test_what_is_played_into_the_sound_server_is_what_is_captured(sound_input: SoundServer, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    rate_hz = sound_input.sample_rate_hz
    played = simulate_cycle("both", rate_hz, np.random.default_rng(1))[: round(1.5 * rate_hz)]
    padded = np.concatenate([np.zeros(round(SETTLING_S * rate_hz), np.float32), played])
    soundfile.write(tmp_path / "breath.wav", padded, rate_hz)

    with open_source("mic:STETHOSCOPE_l", realtime=True) as source:
        assert source.name == f"mic:{sound_input.input_name}"
        assert source.sample_rate_hz == rate_hz
        with sound_input.play(tmp_path / "breath.wav") as player:
            blocks = blocks_for(source, SETTLING_S + played.size / rate_hz + 1.5)
            assert player.wait(timeout=10) == 0

    assert sum(block.lost_samples for block in blocks) == 0
    captured = aligned(np.concatenate([block.samples for block in blocks]), played)
    assert captured.size == played.size
    assert np.abs(captured - played).max() < 2 / 32768


def test_inputs_are_listed_with_the_rates_they_accept(sound_input: SoundServer) -> None:
    listed = {entry.name: entry for entry in list_inputs(try_rates=True)}
    assert [name for name, entry in listed.items() if entry.is_default] == ["default"]
    assert sound_input.sample_rate_hz in (listed[sound_input.input_name].accepted_rates_hz or ())


def test_what_a_slow_consumer_misses_is_counted_and_told(sound_input: SoundServer) -> None:
    with MicrophoneSource(sound_input.input_name, queue_s=0.5) as source:
        blocks = source.blocks()
        heard = [next(blocks)]
        begin_s = time.monotonic()
        time.sleep(2.5)
        while time.monotonic() < begin_s + 3.2:
            heard.append(next(blocks))
        passed_s = time.monotonic() - begin_s
    samples = sum(block.samples.size + block.lost_samples for block in heard)
    assert samples / source.sample_rate_hz == pytest.approx(passed_s, abs=0.5)
    told = [event for block in heard for event in block.events]
    assert {event.name for event in told} == {"sound-lost"}
    # On a busy machine the sound server may lose some, too.
    (lost,) = [event for event in told if event.fields["cause"] == "queue-full"]
    # Half a second waits in the queue, somewhat less in the pipe; only what came in the meantime is missing.
    assert 0.5 <= lost.end_s - lost.start_s <= 2.1
    missing = sum(block.lost_samples for block in heard)
    assert missing >= round((lost.end_s - lost.start_s) * source.sample_rate_hz)


def test_a_program_that_was_paused_goes_on_where_it_was(sound_server: SoundServer) -> None:
    command = [sys.executable, "-c", LISTENING, sound_server.input_name]
    with subprocess.Popen(command, env=sound_server.environment, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "sound\n"
        listener.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        listener.send_signal(signal.SIGCONT)
        assert [listener.stdout.readline() for _ in range(30)] == ["sound\n"] * 30
        listener.kill()


def capturing_processes(listener: int) -> list[Path]:
    """Processes whose parent is `listener`."""
    parents = Path("/proc").glob("[0-9]*/stat")
    return [stat.parent for stat in parents if stat.read_text().rpartition(")")[2].split()[1] == str(listener)]


def test_what_captures_ends_with_what_listens_however_that_ends(sound_server: SoundServer) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not show its processes in /proc")
    sound_server.freeze()
    command = [sys.executable, "-c", LISTENING, sound_server.input_name]
    deadline_s = time.monotonic() + 20
    with subprocess.Popen(command, env=sound_server.environment) as listener:
        while not (capturing := capturing_processes(listener.pid)) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        time.sleep(0.5)  # by now it hangs in PortAudio
        listener.kill()
    (process,) = capturing
    while process.exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not process.exists()


def test_an_input_that_dies_is_given_up_once_the_attempts_are_used_up(sound_input: SoundServer) -> None:
    with MicrophoneSource(sound_input.input_name, persistence=Persistence(max_restarts=1)) as source:
        events: list[Event] = []
        told = (event for block in source.blocks() for event in block.events)
        sound_input.kill()
        with pytest.raises(AudioDeviceError, match=r"mic:stethoscope_line: given up after 1 failed attempts; the last"):
            events.extend(told)
    assert [event.name for event in events] == ["source-lost", "source-retry"]
    assert events[1].fields["attempt"] == 1
    assert events[1].fields["wait_s"] is None


def test_a_frozen_sound_server_is_one_error_at_the_start_and_can_be_stopped(sound_input: SoundServer) -> None:
    sound_input.freeze()
    begin_s = time.monotonic()
    asked = iter([False, False, True])
    with pytest.raises(StoppedWaiting):
        MicrophoneSource("", persistence=Persistence(turn=lambda _: next(asked)))
    assert time.monotonic() - begin_s < 5


OPEN_MICROPHONE = """
from edge.audio.source import open_source
from edge.errors import AudioDeviceError
try:
    open_source("mic", realtime=True)
except AudioDeviceError as error:
    print(error)
"""


def run_python(program: str, environment: dict[str, str]) -> str:
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_a_machine_without_any_input_says_so(tmp_path: Path) -> None:
    if list_inputs_or_skip():
        pytest.skip("this machine has a sound input of its own")
    told = run_python(OPEN_MICROPHONE, os.environ | {"PULSE_SERVER": f"unix:{tmp_path}/no-server"})
    assert told == "no sound input on this machine; plug in a microphone or a sound card, or give a file\n"


def test_a_machine_without_portaudio_is_told_what_to_install(tmp_path: Path) -> None:
    pytest.importorskip("cffi")
    (tmp_path / "sitecustomize.py").write_text("import ctypes.util\nctypes.util.find_library = lambda name: None\n")
    told = run_python(OPEN_MICROPHONE, os.environ | {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"})
    assert told.startswith("sound input needs the PortAudio library (")
    assert told.endswith("); install it with: apt install libportaudio2\n")


USABLE_RATE = """
from dataclasses import replace
from edge.audio.portaudio import query_inputs, usable_rate_hz
fast = replace(query_inputs()[0], name="a 192 kHz interface", native_rate_hz=192_000)
print(usable_rate_hz(fast))
"""


def test_a_card_too_fast_for_the_features_is_opened_at_a_rate_that_suits_them(sound_server: SoundServer) -> None:
    assert run_python(USABLE_RATE, sound_server.environment) == "48000\n"


def list_inputs_or_skip() -> list[AudioInput]:
    try:
        return list_inputs()
    except AudioDeviceError as error:
        pytest.skip(str(error))
