"""Fixtures that every room's tests may ask for."""

import ctypes.util
import importlib
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the repository; what asks for it is skipped where that folder is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real recordings: ../shared/data is absent beside the repository")
    return folder


STAND_INS = REPOSITORY / "tests" / "stand_ins"
IMPORTING_TENSORRT = ("tensorrt", "pycuda", "pycuda.driver", "export.tensorrt_builder")


@dataclass(frozen=True)
class StandIns:
    """Stand-ins for TensorRT and pycuda, imported in their place: what they record, and what shall fail."""

    trt: ModuleType
    cuda: ModuleType
    folder: Path = STAND_INS
    """For the PYTHONPATH of a program that shall use them."""


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """Fresh ones for this test alone. They prove in which order things are done, and nothing of TensorRT or CUDA."""
    before = {name: sys.modules.pop(name) for name in IMPORTING_TENSORRT if name in sys.modules}
    monkeypatch.syspath_prepend(STAND_INS)
    found = StandIns(importlib.import_module("tensorrt"), importlib.import_module("pycuda.driver"))
    yield found
    for name in IMPORTING_TENSORRT:
        sys.modules.pop(name, None)
    sys.modules.update(before)
    assert not any(found.cuda.stacks.values()), "a CUDA context was left on a stack"
    assert found.cuda.retained == 0
    assert found.cuda.memory == {}


@pytest.fixture(scope="session")
def virtual_terminal() -> Any:
    """The class `VirtualTerminal`: what a terminal of so many columns and rows shows after what it was sent."""
    return runpy.run_path(str(STAND_INS / "virtual_terminal.py"))["VirtualTerminal"]


SINK = "stethoscope"
"""What is played into this sink of the test's sound server arrives at `SOUND_INPUT`."""
SOUND_INPUT = "stethoscope_line"
SINK_RATE_HZ = 44100
ALSA_CONFIGURATION = f"""
</usr/share/alsa/alsa.conf>
pcm.{SOUND_INPUT} {{ type pulse device "{SINK}.monitor" }}
pcm.!default {{ type pulse device "{SINK}.monitor" }}
ctl.!default {{ type pulse }}
"""
PLAYED_AHEAD_MS = 3000
"""How much the sound server holds of what is played: a server that gets no processor for less than this, on a busy
machine, still plays without a gap. With 50 ms, pausing it for 0.2 s left holes that no capture can be blamed for."""
SOUND_PACKAGES = "libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"


@dataclass(frozen=True)
class SoundServer:
    """A running PulseAudio whose only sink loops back to an input that PortAudio sees."""

    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]
    """For a program that shall capture from it or play into it."""
    input_name: str = SOUND_INPUT
    sample_rate_hz: int = SINK_RATE_HZ

    def play(self, path: Path) -> "subprocess.Popen[bytes]":
        """Start playing a WAV or FLAC file into the sink."""
        command = ["paplay", f"--device={SINK}", f"--latency-msec={PLAYED_AHEAD_MS}", str(path)]
        return subprocess.Popen(command, env=self.environment)


@pytest.fixture
def sound_server() -> Iterator[SoundServer]:
    """A sound server of this test's own, without hardware; the test is skipped where its packages are missing."""
    _require_sound_packages()
    # Not tmp_path: the path of a socket may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="respire-sound-") as folder:
        (Path(folder) / "asound.conf").write_text(ALSA_CONFIGURATION)
        environment = os.environ | {
            "HOME": folder,
            "XDG_RUNTIME_DIR": folder,
            "PULSE_SERVER": f"unix:{folder}/native",
            "ALSA_CONFIG_PATH": f"{folder}/asound.conf",
        }
        process = subprocess.Popen(_pulseaudio_command(folder), env=environment, stderr=subprocess.DEVNULL)
        try:
            _wait_until_answering(process, environment)
            yield SoundServer(process, environment)
        finally:
            process.kill()
            process.wait(timeout=10)


@pytest.fixture
def sound_input(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """The same server, whose input this process's PortAudio sees while the test runs."""
    import sounddevice

    for name in ("HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER", "ALSA_CONFIG_PATH"):
        monkeypatch.setenv(name, sound_server.environment[name])
    _look_for_devices_again(sounddevice)
    yield sound_server
    monkeypatch.undo()
    _look_for_devices_again(sounddevice)


def _require_sound_packages() -> None:
    missing = [tool for tool in ("pulseaudio", "pactl", "paplay") if shutil.which(tool) is None]
    missing += ["libportaudio"] if ctypes.util.find_library("portaudio") is None else []
    plugins = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
    missing += [] if any(plugins) else ["ALSA's pulse plugin"]
    if missing:
        pytest.skip(f"no sound server ({', '.join(missing)} missing): apt install {SOUND_PACKAGES}")


def _pulseaudio_command(folder: str) -> list[str]:
    return [
        "pulseaudio", "-n", "--daemonize=no", "--system=false", "--exit-idle-time=-1", "--use-pid-file=no",
        f"--load=module-native-protocol-unix auth-anonymous=1 socket={folder}/native",
        f"--load=module-null-sink sink_name={SINK} rate={SINK_RATE_HZ} channels=1",
    ]  # fmt: skip


def _wait_until_answering(process: "subprocess.Popen[bytes]", environment: dict[str, str]) -> None:
    deadline_s = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline_s:
        if subprocess.run(["pactl", "info"], env=environment, capture_output=True, timeout=20).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the sound server did not start; its exit status is {process.poll()}")


def _look_for_devices_again(sounddevice: object) -> None:
    """PortAudio lists devices once, when it starts."""
    sounddevice._terminate()  # type: ignore[attr-defined]
    sounddevice._initialize()  # type: ignore[attr-defined]
