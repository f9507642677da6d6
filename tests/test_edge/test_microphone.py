"""Capture through PortAudio from a real sound server; no card is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.audio.block import AudioBlock
from edge.audio.inputs import AudioInput, choose_input, list_inputs, load_sounddevice
from edge.audio.lung_sounds import simulate_cycle
from edge.audio.microphone import CaptureQueue, MicrophoneSource, _usable_rate_hz
from edge.audio.source import open_source
from edge.errors import AudioDeviceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import SoundServer

SETTLING_S = 0.5
"""Silence ahead of what is played: the start of a stream may be lost while server and program find each other."""

STALL_S = 2.0
LISTENING = f"""
import sys
from edge.audio.microphone import MicrophoneSource
from edge.errors import AudioDeviceError
try:
    with MicrophoneSource(sys.argv[1], stall_s={STALL_S}) as source:
        for _ in source.blocks():
            print("sound", flush=True)
except AudioDeviceError as error:
    print(error, flush=True)
"""


def blocks_for(source: MicrophoneSource, seconds: float) -> list[AudioBlock]:
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

    with MicrophoneSource(sound_input.input_name) as source:
        assert source.sample_rate_hz == rate_hz
        with sound_input.play(tmp_path / "breath.wav") as player:
            blocks = blocks_for(source, SETTLING_S + played.size / rate_hz + 1.5)
            assert player.wait(timeout=10) == 0

    assert sum(block.lost_samples for block in blocks) == 0
    captured = aligned(np.concatenate([block.samples for block in blocks]), played)
    assert captured.size == played.size
    assert np.abs(captured - played).max() < 2 / 32768


def test_mic_names_an_input_by_part_of_its_name_whatever_the_case(sound_input: SoundServer) -> None:
    with open_source("mic:STETHOSCOPE_l", realtime=True) as source:
        assert source.name == f"mic:{sound_input.input_name}"


def test_mic_alone_is_the_default_input(sound_input: SoundServer) -> None:
    with open_source("mic", realtime=True) as source:
        assert source.name == "mic:default"


def test_an_exact_name_wins_over_names_that_contain_it(sound_input: SoundServer) -> None:
    names = [entry.name for entry in list_inputs()]
    assert "pulse" in names
    assert choose_input("PULSE").name == "pulse"


def test_a_name_that_fits_several_inputs_lists_them(sound_input: SoundServer) -> None:
    with pytest.raises(AudioDeviceError, match=r"mic:e: that fits .*'stethoscope_line'.*; give more of the name"):
        choose_input("e")


def test_a_name_that_fits_no_input_lists_all(sound_input: SoundServer) -> None:
    with pytest.raises(AudioDeviceError, match=r"mic:Thinklabs: no input has that .*'stethoscope_line'.*'default'"):
        choose_input("Thinklabs")


def test_what_a_slow_consumer_misses_is_counted_where_it_is_missing(sound_input: SoundServer) -> None:
    with MicrophoneSource(sound_input.input_name, queue_s=0.5) as source:
        blocks = source.blocks()
        next(blocks)
        time.sleep(2.0)
        later = heard_after_sleep(blocks, 8)
    rate_hz = source.sample_rate_hz
    lost = [block.lost_samples for block in later]
    # Five blocks waited in the queue; what came in the meantime is missing before the sixth.
    assert lost[:5] == [0] * 5
    assert 1.0 * rate_hz <= lost[5] <= 2.5 * rate_hz
    assert lost[6:] == [0] * 2


def heard_after_sleep(blocks: Iterator[AudioBlock], count: int) -> list[AudioBlock]:
    return [next(blocks) for _ in range(count)]


def test_a_program_that_was_paused_goes_on_where_it_was(sound_server: SoundServer) -> None:
    command = [sys.executable, "-c", LISTENING, sound_server.input_name]
    with subprocess.Popen(command, env=sound_server.environment, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "sound\n"
        listener.send_signal(signal.SIGSTOP)
        time.sleep(STALL_S + 0.5)
        listener.send_signal(signal.SIGCONT)
        assert [listener.stdout.readline() for _ in range(10)] == ["sound\n"] * 10
        listener.kill()


def test_an_input_that_dies_ends_with_an_error_and_not_with_silence(sound_input: SoundServer) -> None:
    with MicrophoneSource(sound_input.input_name) as source:
        blocks = source.blocks()
        next(blocks)
        sound_input.process.kill()
        with pytest.raises(AudioDeviceError, match=r"mic:stethoscope_line: no longer delivers sound; check the cable"):
            deque(blocks, maxlen=0)


def test_a_frozen_sound_server_hangs_neither_the_error_nor_the_end_of_the_program(sound_server: SoundServer) -> None:
    command = [sys.executable, "-c", LISTENING, sound_server.input_name]
    with subprocess.Popen(command, env=sound_server.environment, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "sound\n"
        sound_server.process.send_signal(signal.SIGSTOP)
        *_, last = listener.stdout.read().splitlines()
        assert listener.wait(timeout=20) == 0
    assert last == "mic:stethoscope_line: no longer delivers sound; check the cable, then start again"


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


def test_a_machine_without_portaudio_is_told_what_to_install() -> None:
    pytest.importorskip("cffi")
    without = "import ctypes.util\nctypes.util.find_library = lambda name: None\n"
    told = run_python(without + OPEN_MICROPHONE, dict(os.environ))
    assert told.startswith("sound input needs the PortAudio library (")
    assert told.endswith("); install it with: apt install libportaudio2\n")


def test_a_card_too_fast_for_the_features_is_opened_at_a_rate_that_suits_them(sound_input: SoundServer) -> None:
    fast = AudioInput(choose_input("pulse").index, "a 192 kHz interface", channels=2, native_rate_hz=192_000)
    assert _usable_rate_hz(load_sounddevice(), fast) == 48_000


def test_a_full_queue_drops_the_newest_sound_and_says_so_before_the_next() -> None:
    captured = CaptureQueue(max_blocks=2)
    sound = [np.full((10, 1), index, np.float32) for index in range(6)]
    for block in sound[:4]:
        captured.put(block, lost_samples=0)
    first = captured.get(timeout_s=0)
    captured.put(sound[4], lost_samples=7)
    second, third = captured.get(timeout_s=0), captured.get(timeout_s=0)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [int(block[0][0, 0]) for block in (first, second, third)] == [0, 1, 4]
    assert [block[1] for block in (first, second, third)] == [0, 0, 10 + 10 + 7]
    assert captured.get(timeout_s=0) is None


def list_inputs_or_skip() -> list[AudioInput]:
    try:
        return list_inputs()
    except AudioDeviceError as error:
        pytest.skip(str(error))
