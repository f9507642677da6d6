"""A training run on disk: what was asked, what code ran, figures per epoch, checkpoints, and the state to go on from.

```
OUT/config.json           the whole configuration      OUT/run.json        code version, machine, data, patients
OUT/state.pt              to go on after a kill        OUT/metrics.jsonl   one line per epoch
OUT/best/  OUT/last/      checkpoint folders           OUT/test.json       figures on the test side, at the end
OUT/curves.png            loss and figures by epoch    OUT/tensorboard/    the same for TensorBoard
```

Every file is replaced in one step, `state.pt` first: from then on an epoch counts. What is written after it follows
from it, and is written again when a run goes on, so that whichever files a kill lets through, all are of the same epoch
at last. `metrics.jsonl` comes last and so counts the epochs that are whole.
"""

from __future__ import annotations

import json
import pickle
import subprocess
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from train.checkpoint import partial_path, write_atomically
from train.config import Config, config_from_dict
from train.errors import CheckpointError, ConfigError

CONFIG_FILE = "config.json"
RUN_FILE = "run.json"
METRICS_FILE = "metrics.jsonl"
STATE_FILE = "state.pt"
TEST_FILE = "test.json"
CURVES_FILE = "curves.png"

_CHANGES_NOTHING = ("config.workers",)
"""What a run may go on with another value of."""


def open_run_folder(folder: Path, config: Config, data: Mapping[str, Path], init: Path | None) -> None:
    """Make the folder, or check that it holds the same run begun earlier. Raises ConfigError naming what differs."""
    asked = {
        "config": config.to_dict(),
        "data": {name: str(path.resolve()) for name, path in sorted(data.items())},
        "init": str(init.resolve()) if init else None,
    }
    asked = json.loads(json.dumps(asked))
    path = folder / CONFIG_FILE
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = _differing(found, asked)
        if differing:
            raise ConfigError(f"{folder} holds another run ({', '.join(differing)} differ); give another --out")
        return
    if folder.is_dir() and any(each != partial_path(path) for each in folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and holds no run; give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, asked)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented JSON, replaced in one step."""
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def write_metrics(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """All epochs so far, one JSON object a line; written whole, so a killed epoch leaves no second line."""
    write_atomically(folder / METRICS_FILE, "".join(json.dumps(epoch) + "\n" for epoch in history).encode())


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """What `write_metrics` wrote, an epoch each; nothing where it never did."""
    if not (folder / METRICS_FILE).is_file():
        return []
    return [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """What `maybe_read_state` gives back: tensors, numbers, strings and containers of these."""
    buffer = BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(folder / STATE_FILE, buffer.getvalue())


def maybe_read_state(folder: Path) -> dict[str, Any] | None:
    """The state after the last whole epoch, or None before the first. Raises CheckpointError."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path} cannot be read: {reason}; remove it to begin again") from None
    return state


def code_version() -> dict[str, Any]:
    """Git commit of this code and whether tracked files differ from it; unknown outside a repository."""
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit or "unknown", "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _differing(found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    before, now = _flat(_with_new_fields(found)), _flat(asked)
    keys = {*before, *now}.difference(_CHANGES_NOTHING)
    return sorted(key for key in keys if before.get(key) != now.get(key))


def _with_new_fields(found: Mapping[str, Any]) -> dict[str, Any]:
    """An earlier version's `config.json` with the fields that came later at their defaults, which are what it did."""
    try:
        config = config_from_dict(found["config"]).to_dict()
    except (KeyError, TypeError, ValueError):
        return dict(found)
    return {**found, "config": json.loads(json.dumps(config))}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
