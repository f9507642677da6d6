"""A small real bundle, sound to feed it with, and the command line in this process or in one of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import Bundle, load_bundle
from edge.checks.host import Ended, Host
from edge.cli import main
from edge.engine.engine import Engine, open_engine
from edge.pipeline import Classifier
from edge.profiles import load_profile

TINY_BUNDLE = Path(__file__).parents[1] / "golden" / "tiny_bundle"
NO_FILES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """Of its JSON Lines."""
        return self.of_kind("result")

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Those of its JSON Lines that say `kind` in `record`."""
        return [record for record in self._records if record["record"] == kind]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Of its JSON Lines."""
        return self.of_kind("event")

    @property
    def _records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


EditBundle = Callable[[Callable[[dict[str, Any]], None]], Path]
RunCommand = Callable[..., Ran]
StartCommand = Callable[..., "subprocess.Popen[str]"]
BuildHost = Callable[..., Host]
Breathing = Callable[..., NDArray[np.float32]]
WriteSound = Callable[..., Path]


@pytest.fixture(scope="session")
def breathing() -> Breathing:
    """Noise that swells and fades, under a rising tone, higher than voices: over silence and far from clipping."""

    def sound(duration_s: float, sample_rate_hz: int = 8000, seed: int = 0) -> NDArray[np.float32]:
        times_s = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
        noise = np.random.default_rng(seed).standard_normal(times_s.size)
        tone = np.sin(2 * np.pi * (800 + 10 * times_s) * times_s)
        swell = 0.05 * (1.2 + np.sin(2 * np.pi * times_s / 3.5))
        return np.asarray(swell * (0.5 * noise + tone), dtype=np.float32)

    return sound


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    return TINY_BUNDLE


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle(TINY_BUNDLE)


@pytest.fixture(scope="session")
def engine(bundle: Bundle) -> Iterator[Engine]:
    with open_engine(bundle) as opened:
        yield opened


@pytest.fixture(scope="session")
def classifier(bundle: Bundle, engine: Engine) -> Classifier:
    return Classifier(load_profile("meditron"), bundle, engine)


@pytest.fixture
def edited_bundle(tmp_path: Path) -> EditBundle:
    """A copy of the tiny bundle whose manifest was changed by a function."""

    def edit(change: Callable[[dict[str, Any]], None]) -> Path:
        folder = tmp_path / "edited"
        shutil.copytree(TINY_BUNDLE, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return edit


@pytest.fixture
def write_sound(tmp_path: Path) -> WriteSound:
    """Writes float samples [n] or [n, channels] as a WAV or FLAC file in the test's folder."""

    def write(name: str, samples: NDArray[Any], sample_rate_hz: int = 8000, subtype: str | None = None) -> Path:
        import soundfile

        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, sample_rate_hz, subtype=subtype)
        return path

    return write


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles in which the tiny one serves every stethoscope."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(TINY_BUNDLE, folder / "common")
    return folder


@pytest.fixture
def build_host(tmp_path: Path) -> BuildHost:
    """A machine of these files and programs alone, seen by a member of no group in summer 2027, for `doctor`."""

    def build(files: Mapping[str, str] = NO_FILES, programs: Sequence[str] = (), **changes: Any) -> Host:
        root = tmp_path / "machine"
        root.mkdir(exist_ok=True)
        for name, content in {**files, **{f"usr/bin/{program}": "" for program in programs}}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            path.chmod(0o755)
        host = Host(
            root=root,
            environ={"PATH": str(root / "usr/bin"), "HOME": "/home/nurse", "USER": "nurse"},
            run=lambda *_: Ended(127, ""),
            now=lambda: datetime(2027, 6, 1, tzinfo=timezone.utc),
            user_id=1000,
            group_ids=frozenset({1000}),
        )
        return replace(host, **changes)

    return build


@pytest.fixture
def start_command(models_folder: Path) -> Iterator[StartCommand]:
    """Starts `respire-edge` in a process of its own, with the tiny bundle as its only model; ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        running = subprocess.Popen(
            [sys.executable, "-m", "edge", *map(str, arguments)],
            env=os.environ | {"RESPIRE_EDGE_MODELS": str(models_folder)} | dict(environ or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(running)
        return running

    yield start
    for running in started:
        if running.returncode is None:  # its test failed before its end
            running.kill()
            running.communicate()


@pytest.fixture
def run_command(models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """Runs `respire-edge` in this process, with the tiny bundle as its only model."""
    monkeypatch.setenv("RESPIRE_EDGE_MODELS", str(models_folder))

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
