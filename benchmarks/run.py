"""Measure this machine: `python -m benchmarks.run [--quick] [--output docs/benchmarks.md]`."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.augmentation import SamplesEffort, measure_samples, measure_steps
from benchmarks.engines import measure_engines
from benchmarks.epoch import EpochEffort, measure_epochs
from benchmarks.features import measure_features
from benchmarks.machine import describe_machine
from benchmarks.report import Table, markdown_from_tables
from benchmarks.startup import measure_startup
from benchmarks.throughput import measure_throughput
from edge.bundle import find_bundle, load_bundle
from edge.errors import EdgeError
from edge.profiles import load_profile

HEADER = """\
# Benchmarks

Written by `make bench` on the machine below; run it on yours. Times depend on the machine, ratios much less.
"""


@dataclass(frozen=True)
class Effort:
    """How much is repeated."""

    features: int
    samples: SamplesEffort
    steps: int
    epoch: EpochEffort
    engines: int
    recordings: int
    starts: int


FULL = Effort(
    features=50,
    samples=SamplesEffort(rounds=10, samples=20),
    steps=30,
    epoch=EpochEffort(batches=6, batch_size=64),
    engines=50,
    recordings=12,
    starts=5,
)
QUICK = Effort(
    features=2,
    samples=SamplesEffort(rounds=1, samples=2),
    steps=1,
    epoch=EpochEffort(batches=1, batch_size=4),
    engines=2,
    recordings=2,
    starts=1,
)
"""Enough to see that everything still runs; its figures mean little."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        tables = measure(arguments.model, QUICK if arguments.quick else FULL)
    except EdgeError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    text = HEADER + "\n" + markdown_from_tables(tables)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="Measure this machine.")
    parser.add_argument("--quick", action="store_true", help="one or two repeats: does everything still run?")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a bundle; default: the one that comes along")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="also write the report here")
    return parser


def measure(model: Path | None, effort: Effort) -> list[Table]:
    """Every table. Raises EdgeError where the bundle is missing or unfit."""
    bundle = load_bundle(find_bundle(load_profile("littmann3200"), model, os.environ))
    return [
        describe_machine(),
        measure_features(effort.features),
        measure_samples(effort.samples),
        measure_steps(effort.steps),
        measure_epochs(effort.epoch),
        measure_engines(bundle, effort.engines),
        measure_throughput(bundle.folder, effort.recordings),
        measure_startup(bundle.folder, effort.starts),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
