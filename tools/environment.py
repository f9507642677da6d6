"""Make a virtual environment ready, or leave it alone where it is: `python3 tools/environment.py device .venv-device`.

Standard library only, because it runs before anything is installed. Versions come from requirements/constraints.txt.
An environment is ready when a check has seen its libraries work together, and stays ready until the pins,
pyproject.toml or the Python change.
"""

from __future__ import annotations  # so that a Python that is too old gets as far as being told so

import argparse
import ctypes.util
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CONSTRAINTS = REPOSITORY / "requirements" / "constraints.txt"
EXTRAS = {"device": "", "device-test": "[device-test]", "development": "[dev]"}
OLDEST_PYTHON = (3, 10)

DEVICE_CHECK = """
import numpy, onnxruntime, soundfile
try:
    import sounddevice
except OSError:
    pass  # no PortAudio: said apart, since only microphones need it
"""
DEVELOPMENT_CHECK = """
import torch, torchvision
kept = torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
assert kept.tolist() == [0]
"""


class UnreadyError(Exception):
    """What kept an environment from being ready, and what to do, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        make_ready(arguments.kind, arguments.folder.resolve(), plain_pip=arguments.plain_pip)
    except UnreadyError as error:
        print(f"environment: {error}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kind", choices=EXTRAS)
    parser.add_argument("folder", type=Path, help="the virtual environment's folder; made where it is absent")
    parser.add_argument("--plain-pip", action="store_true", help="install with pip even where uv could")
    return parser


def make_ready(kind: str, folder: Path, *, plain_pip: bool = False) -> None:
    """Leave `folder` holding a checked environment of `kind`; raises UnreadyError."""
    refuse_unfit_python()
    note_missing_portaudio()
    stamp = folder / ".ready"
    signature = signature_of(kind)
    if stamp.is_file() and stamp.read_text() == signature:
        return
    print(f"environment: preparing {folder.name} ({kind}) for Python {sys.version.split()[0]} ...", flush=True)
    create(folder)
    install(kind, folder, plain_pip=plain_pip)
    check(kind, folder)
    stamp.write_text(signature)


def refuse_unfit_python() -> None:
    version, oldest = (".".join(map(str, pair)) for pair in (sys.version_info[:2], OLDEST_PYTHON))
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise UnreadyError(f"{sys.executable} is Python {version}; install Python {oldest} or newer")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise UnreadyError(
            f"{sys.executable} cannot make virtual environments; on Debian and Ubuntu: "
            f"sudo apt install python3-venv python{version}-venv"
        )


def note_missing_portaudio() -> None:
    if sys.platform == "linux" and ctypes.util.find_library("portaudio") is None:
        print(
            "note: PortAudio is missing, so `respire-edge listen` cannot open a microphone (the demo and recordings "
            "do not need it); on Debian and Ubuntu: sudo apt install libportaudio2",
            file=sys.stderr,
        )


def signature_of(kind: str) -> str:
    """What an environment was made from; another value means that it must be made again."""
    digest = hashlib.sha256()
    for part in (CONSTRAINTS, REPOSITORY / "pyproject.toml", Path(__file__)):
        digest.update(part.read_bytes())
    return f"{kind} {sys.version} {REPOSITORY} {digest.hexdigest()}\n"


def create(folder: Path) -> None:
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    run(command, f"{sys.executable} could not make a virtual environment in {folder}")


def install(kind: str, folder: Path, *, plain_pip: bool) -> None:
    """Install this repository, editable, with what `kind` needs.

    uv reads no pip configuration, so no local folder of wheels reaches it, and it is quicker with torch's gigabytes.
    The pins are such that plain pip resolves to the same versions, and it takes over where uv cannot be had.
    """
    target = ["-c", str(CONSTRAINTS), "-e", f"{REPOSITORY}{EXTRAS[kind]}"]
    python = python_of(folder)
    if kind == "development" and not plain_pip:
        if install_with_uv(python, target):
            return
        print("environment: uv could not install; pip takes over", file=sys.stderr)
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    run([*pip, *target], f"pip could not install the {kind} environment; its own lines above say why")


def install_with_uv(python: Path, target: list[str]) -> bool:
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-c", str(CONSTRAINTS), "uv"]
    uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    return all(subprocess.call(command, env=clean_variables()) == 0 for command in (pip, [*uv, *quiet, *target]))


def check(kind: str, folder: Path) -> None:
    """Use the libraries that are known to arrive in pairs that do not fit; raises UnreadyError saying which."""
    code = DEVICE_CHECK + (DEVELOPMENT_CHECK if kind == "development" else "")
    command = [str(python_of(folder)), "-c", code]
    outcome = subprocess.run(command, env=clean_variables(), capture_output=True, text=True, check=False)
    if outcome.returncode == 0:
        return
    reason = outcome.stderr.strip().splitlines()[-1:] or ["no message"]
    raise UnreadyError(
        f"the libraries in {folder} do not work together: {reason[0]}; torch and torchvision must be the pair in "
        f"requirements/constraints.txt, and no other folder of wheels may supply them (see `pip config list`). "
        f"Remove {folder} and try again"
    )


def run(command: list[str], failure: str) -> None:
    if subprocess.call(command, env=clean_variables()) != 0:
        raise UnreadyError(failure)


def clean_variables() -> dict[str, str]:
    """The caller's variables, less those by which another Python's packages would leak in."""
    return {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    }


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


if __name__ == "__main__":
    raise SystemExit(main())
