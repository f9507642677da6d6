"""Fuzz the host's side of the link to a microcontroller: `python -m tools.fuzz_bridge [--seconds 60]`.

Coverage-guided, by Atheris (pip install atheris), from PROTOCOL.md's test vectors on; tools/any_bytes.py says what must
hold.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

MAX_GROWTH_MB = 512
"""Beyond what this process takes at its start."""


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz for so long. What breaks something is left in the folder that is named at the end."""
    parser = argparse.ArgumentParser(prog="tools.fuzz_bridge", description="Fuzz the host's side of the link.")
    parser.add_argument("--seconds", type=int, default=60, help="default: 60")
    parser.add_argument("--runs", type=int, metavar="N", help="end after so many inputs; default: any number")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="where inputs are kept; default: a new folder")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    arguments = parser.parse_args(argv)
    try:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        print("fuzz_bridge: Atheris is not installed; pip install atheris", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["firmware_bridge"]):
        from tools.any_bytes import play, seeds
    corpus = arguments.corpus or Path(tempfile.mkdtemp(prefix="fuzz_bridge_"))
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    print(f"fuzz_bridge: corpus in {corpus}", file=sys.stderr)
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        "-max_len=4096",
        # libFuzzer looks at the peak, and on Linux a process inherits that of the one that started it.
        f"-rss_limit_mb={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 + MAX_GROWTH_MB}",
        "-print_final_stats=1",
    ]
    options += [] if arguments.runs is None else [f"-runs={arguments.runs}"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/", str(corpus)], play)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
