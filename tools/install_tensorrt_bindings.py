"""Make NVIDIA's TensorRT bindings ready for tools/check_tensorrt_api.py, or leave them alone where they are.

`.venv/bin/python tools/install_tensorrt_bindings.py` fills `.tensorrt-bindings/VERSION` for each line of
requirements/tensorrt-bindings.txt, 3 MB each, for the Python that runs it. The bindings alone: no library, no GPU.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PINS = REPOSITORY / "requirements" / "tensorrt-bindings.txt"
FOLDER = REPOSITORY / ".tensorrt-bindings"


class UnreadyError(Exception):
    """What kept bindings from being ready, in one line."""


@dataclass(frozen=True)
class Bindings:
    """One pinned version and where it is put."""

    requirement: str
    """As pip takes it: `name==version`."""
    folder: Path

    @property
    def version(self) -> str:
        return self.requirement.partition("==")[2]

    @property
    def stamp(self) -> str:
        return f"{self.requirement} {sys.implementation.cache_tag}\n"

    @property
    def ready(self) -> bool:
        """Whether these bindings were installed here for this Python."""
        file = self.folder / ".ready"
        return file.is_file() and file.read_text() == self.stamp


def main() -> int:
    try:
        for bindings in pinned_bindings():
            make_ready(bindings)
    except UnreadyError as error:
        print(f"tensorrt bindings: {error}; the tests of TensorRT's API are skipped", file=sys.stderr)
        return 1
    return 0


def pinned_bindings(pins: Path = PINS, folder: Path = FOLDER) -> list[Bindings]:
    """What requirements/tensorrt-bindings.txt names, in its order."""
    lines = re.findall(r"^[a-z0-9_]+==[0-9.]+$", pins.read_text(), flags=re.MULTILINE)
    return [Bindings(line, folder / line.partition("==")[2]) for line in lines]


def make_ready(bindings: Bindings) -> None:
    """Leave `bindings.folder` holding them; raises UnreadyError."""
    if bindings.ready:
        return
    print(f"tensorrt bindings: installing {bindings.requirement} ...", flush=True)
    shutil.rmtree(bindings.folder, ignore_errors=True)
    wanted = ["--no-deps", "--only-binary", ":all:", "--target", str(bindings.folder), bindings.requirement]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, *wanted]
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *wanted]
    if not any(subprocess.call(command) == 0 for command in (uv, pip)):
        raise UnreadyError(f"{bindings.requirement} could not be installed; the installer's own lines above say why")
    (bindings.folder / ".ready").write_text(bindings.stamp)


if __name__ == "__main__":
    raise SystemExit(main())
