"""Fixtures that every room's tests may ask for."""

import ctypes.util
import importlib
import os
import runpy
import shutil
import signal
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


class SoundServer:
    """A PulseAudio whose only sink loops back to an input that PortAudio sees; it can be ended and started again."""

    input_name = SOUND_INPUT
    sample_rate_hz = SINK_RATE_HZ

    def __init__(self, folder: Path) -> None:
        (folder / "asound.conf").write_text(ALSA_CONFIGURATION)
        self._folder = folder
        self.environment = os.environ | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/native",
            "ALSA_CONFIG_PATH": f"{folder}/asound.conf",
        }
        """For a program that shall capture from it or play into it."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = _pulseaudio_command(self._folder)
        self._process = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL)
        _wait_until_answering(self._process, self.environment)

    def kill(self) -> None:
        """End it with SIGKILL, also while it is frozen. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def freeze(self) -> None:
        """Let it answer nobody, and end nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def play(self, path: Path) -> "subprocess.Popen[bytes]":
        """Start playing a WAV or FLAC file into the sink."""
        command = ["paplay", f"--device={SINK}", f"--latency-msec={PLAYED_AHEAD_MS}", str(path)]
        return subprocess.Popen(command, env=self.environment)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@pytest.fixture
def stopped_sound_server() -> Iterator[SoundServer]:
    """A sound server of this test's own, without hardware, to be started; skips where its packages are missing."""
    _require_sound_packages()
    # Not tmp_path: the path of a socket may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="respire-sound-") as folder:
        server = SoundServer(Path(folder))
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def sound_server(stopped_sound_server: SoundServer) -> SoundServer:
    """The same, running."""
    stopped_sound_server.start()
    return stopped_sound_server


@pytest.fixture
def sound_input(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> SoundServer:
    """The same, whose input this process's microphones capture from while the test runs."""
    for name in ("HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER", "ALSA_CONFIG_PATH"):
        monkeypatch.setenv(name, sound_server.environment[name])
    return sound_server


def _require_sound_packages() -> None:
    missing = [tool for tool in ("pulseaudio", "pactl", "paplay") if shutil.which(tool) is None]
    missing += ["libportaudio"] if ctypes.util.find_library("portaudio") is None else []
    plugins = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
    missing += [] if any(plugins) else ["ALSA's pulse plugin"]
    if missing:
        pytest.skip(f"no sound server ({', '.join(missing)} missing): apt install {SOUND_PACKAGES}")


def _pulseaudio_command(folder: Path) -> list[str]:
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
