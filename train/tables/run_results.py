"""What finished training runs measured on their test sides, read back from their folders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.errors import CheckpointError, ConfigError

CONFIG_FILE, TEST_FILE = "config.json", "test.json"
Confusions = Mapping[str, NDArray[np.int64]]
"""Counts [true label, predicted label] by stethoscope."""


@dataclass(frozen=True)
class RunFolder:
    """A training run as it was asked for."""

    folder: Path
    config: Mapping[str, Any]
    """The content of `Config.to_dict`."""
    init: str
    """Checkpoint that it began from, as given; empty: none."""

    @property
    def seed(self) -> int:
        """Of everything random in the run."""
        return int(self.config["seed"])

    @property
    def device(self) -> str:
        """The one stethoscope that it was trained on; empty: on all."""
        return str(self.config["datasets"][0].get("device", ""))


@dataclass(frozen=True)
class RunResult(RunFolder):
    """A run that was measured on its test side."""

    test: Mapping[str, Any]
    """The content of `test.json`."""

    def confusions(self, figures: str = "figures") -> Confusions:
        """The test side's counts by stethoscope, under `figures` or `leaking_figures`."""
        devices = self.test[figures]["devices"]
        return {device: np.array(found["confusion"], dtype=np.int64) for device, found in devices.items()}


@dataclass(frozen=True)
class FoundRuns:
    """The run folders below some folders, sorted by path."""

    finished: tuple[RunResult, ...]
    unfinished: tuple[RunFolder, ...]
    """Without figures on a test side: still running, killed, or of a split without one."""


def find_runs(folders: Sequence[Path]) -> FoundRuns:
    """Every run folder in or below `folders`. Raises ConfigError, CheckpointError naming the file."""
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise ConfigError(f"--runs {missing[0]}: no such folder; give one with run folders in it")
    found = sorted({path.parent.resolve() for folder in folders for path in folder.rglob(CONFIG_FILE)})
    asked = {folder: _read(folder / CONFIG_FILE) for folder in found}
    runs = [_run_folder(folder, content) for folder, content in asked.items() if "config" in content]
    if not runs:
        named = " ".join(str(folder) for folder in folders)
        raise ConfigError(f"--runs {named}: no run folder in it; make runs with python -m train.reproduce")
    finished = [run for run in runs if (run.folder / TEST_FILE).is_file()]
    return FoundRuns(tuple(map(_result, finished)), tuple(run for run in runs if run not in finished))


def _run_folder(folder: Path, content: Mapping[str, Any]) -> RunFolder:
    return RunFolder(folder, content["config"], content.get("init") or "")


def _result(run: RunFolder) -> RunResult:
    path = run.folder / TEST_FILE
    result = RunResult(run.folder, run.config, run.init, _read(path))
    try:
        result.confusions()
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a run's figures ({error!r}); remove it and train on") from None
    return result


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); remove the run folder or train it again") from None
    return content if isinstance(content, dict) else {}
