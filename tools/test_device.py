"""Run the device-side tests on each Python from 3.10 to 3.12 found here, with the device's needs alone.

A library of the training stack that leaked into `edge`, or syntax too new for the device's Python, fails here. On all
cores, but what listens in real time two files at a time. Standard library only.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
VERSIONS = ("3.10", "3.11", "3.12")
TESTS = ("tests/test_edge", "tests/test_firmware_bridge", "tests/test_architecture")
LISTENING = ("tests/test_edge/test_microphone.py", "tests/test_edge/test_listen.py")
"""A sound server that gets no processor loses sound, for which no capture can be blamed."""
OF_COMPILERS = "tests/test_firmware_bridge/test_c_code.py"
"""What compilers say of the C header is the same for every Python; `make test` asks them once."""
ON_ALL_CORES = ("--numprocesses", "auto", "--dist", "loadfile")
IN_PAIRS = ("--numprocesses", "2", "--dist", "loadfile")


def main() -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        prepared = dict(zip(VERSIONS, pool.map(prepared_for, VERSIONS), strict=False))  # strict is new in Python 3.10
    outcomes = {version: outcome if outcome else tested(version) for version, outcome in prepared.items()}
    for version, outcome in outcomes.items():
        print(f"device side on Python {version}: {outcome}")
    if set(outcomes.values()) == {"not on this machine"}:
        return 2
    return int("FAILED" in outcomes.values())


def prepared_for(version: str) -> str:
    """Why the tests cannot run; empty where they can."""
    python = maybe_python(version)
    if python is None:
        return "not on this machine"
    command = [python, "tools/environment.py", "device-test", str(folder_of(version))]
    return "" if runs(f"environment for Python {version}", command) else "FAILED"


def tested(version: str) -> str:
    pytest = [str(folder_of(version) / "bin" / "python"), "-m", "pytest", "--quiet"]
    others = [*ON_ALL_CORES, *TESTS, *(f"--ignore={test}" for test in (*LISTENING, OF_COMPILERS))]
    passed = [
        runs(f"tests on Python {version}", [*pytest, *others]),
        runs(f"tests that listen on Python {version}", [*pytest, *IN_PAIRS, *LISTENING]),
    ]
    return "passed" if all(passed) else "FAILED"


def folder_of(version: str) -> Path:
    return REPOSITORY / f".venv-device-test-{version}"


def runs(what: str, command: list[str]) -> bool:
    """Whether a command ends well; what it says comes at once when it has ended, not mixed with the others'."""
    ran = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"== {what}\n{ran.stdout}", flush=True)
    return ran.returncode == 0


def maybe_python(version: str) -> str | None:
    """The first interpreter of `version` that runs: this one, one on the PATH, or one that pyenv holds."""
    return next((python for python in candidates(version) if version_of(python) == version), None)


def candidates(version: str) -> list[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
    return [sys.executable, f"python{version}", *map(str, installed)]


def version_of(python: str) -> str | None:
    """Major and minor version of an interpreter; None where it does not start."""
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    raise SystemExit(main())
