"""Hold every call of TensorRT in `edge` and `export` against NVIDIA's own Python bindings, without a GPU.

`python -m tools.check_tensorrt_api` examines each version of requirements/tensorrt-bindings.txt; files may be named
instead of those that import TensorRT. Says nothing about whether an engine works: that is for the device to prove.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.install_tensorrt_bindings import Bindings as Installed
from tools.install_tensorrt_bindings import pinned_bindings
from tools.tensorrt_api.check import check, describe_bindings, modules_using_tensorrt
from tools.tensorrt_api.source import Source
from tools.tensorrt_api.stub_libraries import maybe_c_compiler

INSTALL = "python tools/install_tensorrt_bindings.py"


def main(argv: Sequence[str] | None = None) -> int:
    paths = build_parser().parse_args(argv).files or modules_using_tensorrt()
    if reason := maybe_obstacle():
        print(f"check_tensorrt_api: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        problems = [check_version(installed, paths, Path(folder)) for installed in pinned_bindings()]
    return int(any(problems))


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="Python files; default: all that import TensorRT"
    )
    return parser


def maybe_obstacle() -> str | None:
    """Why the check cannot be made here, and what to do."""
    absent = [installed.version for installed in pinned_bindings() if not installed.ready]
    if absent:
        return f"NVIDIA's bindings {' and '.join(absent)} are not installed for this Python; run: {INSTALL}"
    if maybe_c_compiler() is None:
        return "there is no C compiler; on Debian and Ubuntu: sudo apt install gcc"
    return None


def check_version(installed: Installed, paths: Sequence[Path], folder: Path) -> int:
    """Print what was found, and return the number of problems."""
    version = installed.version
    bindings = describe_bindings(installed.folder, version, maybe_c_compiler() or "", folder / version)
    reports = check(
        [Source(path.read_text(encoding="utf-8")) for path in paths], bindings, folder / version / "checked"
    )
    for path, report in zip(paths, reports, strict=True):
        for problem in report.problems:
            print(f"{os.path.relpath(path)}:{problem.line}: {problem.text} (TensorRT {version})")
    names = {use.title for report in reports for use in report.uses}
    count = sum(len(report.problems) for report in reports)
    verdict = "all there" if count == 0 else f"{count} problem{'s' * (count > 1)}"
    print(f"TensorRT {version}: {len(names)} names used in {len(paths)} files, {verdict}")
    return count


if __name__ == "__main__":
    raise SystemExit(main())
