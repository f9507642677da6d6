"""Write requirements/constraints.txt: the versions that pyproject.toml and requirements/chosen.txt resolve to."""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "requirements"
HEADER = """\
# Derived by `make pins` from pyproject.toml and chosen.txt; README.md beside this file says how and why.
# Three equals signs keep out a `+cpu` build of torch, which would not fit the torchvision below.
"""


def main() -> int:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    command += ["--universal", "--python-version", "3.10", "--all-extras", str(REPOSITORY / "pyproject.toml")]
    command += ["--constraints", str(REQUIREMENTS / "chosen.txt")]
    pins = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (REQUIREMENTS / "constraints.txt").write_text(HEADER + exact_torch(pins))
    return 0


def exact_torch(pins: str) -> str:
    return re.sub(r"^(torch|torchvision)==", r"\1===", pins, flags=re.MULTILINE)


if __name__ == "__main__":
    raise SystemExit(main())
