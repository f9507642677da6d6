"""A PulseAudio of one's own without any hardware, whose only sink loops back to an input that PortAudio sees."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SINK = "stethoscope"
"""What is played into this sink arrives at `SOUND_INPUT`."""
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

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Start playing a WAV or FLAC file into the sink."""
        command = ["paplay", f"--device={SINK}", f"--latency-msec={PLAYED_AHEAD_MS}", str(path)]
        return subprocess.Popen(command, env=self.environment)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def made_sound_server() -> Iterator[SoundServer]:
    """One that is not started yet; it ends with the context."""
    # A short path: that of a socket may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="respire-sound-") as folder:
        server = SoundServer(Path(folder))
        try:
            yield server
        finally:
            server.kill()


def missing_sound_packages() -> list[str]:
    """What this machine lacks; empty where a sound server can be started."""
    missing = [tool for tool in ("pulseaudio", "pactl", "paplay") if shutil.which(tool) is None]
    missing += ["libportaudio"] if ctypes.util.find_library("portaudio") is None else []
    plugins = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
    return missing if any(plugins) else [*missing, "ALSA's pulse plugin"]


def _pulseaudio_command(folder: Path) -> list[str]:
    return [
        "pulseaudio", "-n", "--daemonize=no", "--system=false", "--exit-idle-time=-1", "--use-pid-file=no",
        f"--load=module-native-protocol-unix auth-anonymous=1 socket={folder}/native",
        f"--load=module-null-sink sink_name={SINK} rate={SINK_RATE_HZ} channels=1",
    ]  # fmt: skip


def _wait_until_answering(process: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    deadline_s = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline_s:
        if subprocess.run(["pactl", "info"], env=environment, capture_output=True, timeout=20).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the sound server did not start; its exit status is {process.poll()}")
