"""Fixtures that every room's tests may ask for."""

import importlib
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tools.sound_server import SOUND_PACKAGES, SoundServer, made_sound_server, missing_sound_packages

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


@pytest.fixture
def stopped_sound_server() -> Iterator[SoundServer]:
    """A sound server of this test's own, without hardware, to be started; skips where its packages are missing."""
    if missing := missing_sound_packages():
        pytest.skip(f"no sound server ({', '.join(missing)} missing): apt install {SOUND_PACKAGES}")
    with made_sound_server() as server:
        yield server


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
