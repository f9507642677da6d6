"""Rehearse the image of Dockerfile.jetson where it cannot be built: `sudo python3 tools/rehearse_install.py`.

Each stage runs in a throw-away copy of this machine's files (an overlay in memory), with the Dockerfile's own commands
at their own paths and the Dockerfile's own variables alone. Then the result is used as deploy/compose.yaml uses it: as
the image's user, without capabilities, on a read-only file system, without a network. What needs NVIDIA's packages or a
GPU is not run, and each such step is named. Standard library only; needs root, `unshare`, `setpriv` and overlayfs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.dockerfile import Instruction, Stage, stages_of
from tools.rehearsal_checks import check_use
from tools.rehearsal_root import RehearsalError, Root
from tools.test_device import maybe_python

REPOSITORY = Path(__file__).resolve().parent.parent
PYTHONS = {"3.10": "JetPack 6", "3.12": "JetPack 7"}
NOT_RUN = {
    "apt-get ": "packages of Ubuntu and of NVIDIA's repository",
    "requirements/jetson.txt": "pycuda is compiled with nvcc",
    "pip install --no-index --find-links=/wheels pycuda": "needs the stage before",
    "find_spec": "sees whether TensorRT and pycuda are there, which they are not here",
}
"""Part of a RUN command -> why it is not run here."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", nargs="+", choices=PYTHONS, default=list(PYTHONS), help="default: each")
    parser.add_argument("--in-namespace", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if not arguments.in_namespace:
        return in_a_namespace_of_its_own(arguments.python)
    try:
        for version in arguments.python:
            rehearse(version)
    except RehearsalError as error:
        print(f"rehearse_install: {error}", file=sys.stderr)
        return 1
    return 0


def in_a_namespace_of_its_own(versions: list[str]) -> int:
    """Run again where mounts are seen by nobody else and end with the process."""
    if os.geteuid() != 0:
        print("rehearse_install: mounting needs root; try: sudo python3 tools/rehearse_install.py", file=sys.stderr)
        return 2
    own = [sys.executable, str(Path(__file__).resolve()), "--in-namespace", "--python", *versions]
    return subprocess.call(["unshare", "--mount", "--propagation", "private", *own])


def rehearse(version: str) -> None:
    """All stages, then the use of the last, with the Python that one JetPack has. Raises RehearsalError."""
    python = maybe_python(version)
    if python is None:
        raise RehearsalError(f"Python {version} is not on this machine; rehearse another with --python")
    print(f"\n== Python {version}, as on {PYTHONS[version]}", flush=True)
    stages = stages_of((REPOSITORY / "Dockerfile.jetson").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="respire-rehearsal-") as folder:
        roots: dict[str, Root] = {}
        try:
            for number, stage in enumerate(stages):
                roots[stage.name] = Root(Path(folder) / str(number), Path(python))
                run_stage(stage, roots)
            check_use(stages[-1], roots[stages[-1].name])
        finally:
            for root in roots.values():
                root.close()


def run_stage(stage: Stage, roots: dict[str, Root]) -> None:
    """Follow its instructions, but for the commands of NOT_RUN."""
    root = roots[stage.name]
    for instruction in stage.instructions:
        if instruction.keyword == "RUN":
            run_or_say_why_not(stage, instruction, roots)
        elif instruction.keyword in ("ENV", "ARG"):
            root.set_variables(instruction.text)
        elif instruction.keyword == "COPY":
            root.copy(REPOSITORY, instruction.text.split())
        elif instruction.keyword == "WORKDIR":
            root.change_folder(instruction.text)
        elif instruction.keyword == "USER":
            root.user = instruction.text


def run_or_say_why_not(stage: Stage, instruction: Instruction, roots: dict[str, Root]) -> None:
    where = f"{stage.name or 'image'}, line {instruction.line}"
    reason = next((reason for part, reason in NOT_RUN.items() if part in instruction.text), None)
    shown = instruction.text if len(instruction.text) <= 90 else f"{instruction.text[:87]}..."
    if reason is not None:
        print(f"not run  {where}: {shown} ({reason})", flush=True)
        return
    root = roots[stage.name]
    for mount in instruction.mounts:
        root.bind(roots[mount["from"]].path / mount["source"].lstrip("/"), mount["target"])
    root.run(instruction.argv, what=f"{where}: {shown}")
    for mount in instruction.mounts:
        root.unbind(mount["target"])
    print(f"ran      {where}: {shown}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
