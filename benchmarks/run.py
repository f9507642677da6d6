"""Measure this machine: `python -m benchmarks.run [--quick] [--output docs/benchmarks.md]`."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.augmentation import SamplesEffort, measure_samples, measure_steps
from benchmarks.bridge import BridgeEffort, measure_bridge
from benchmarks.chain import measure_chains
from benchmarks.engines import measure_engines
from benchmarks.epoch import EpochEffort, measure_epochs
from benchmarks.features import measure_features
from benchmarks.live_view import measure_live_view
from benchmarks.machine import describe_machine
from benchmarks.networks import paper_networks, released_network
from benchmarks.precision import measure_precisions
from benchmarks.report import Table, markdown_from_tables
from benchmarks.soak import SoakEffort, measure_soak
from benchmarks.startup import measure_startup
from benchmarks.throughput import measure_throughput
from edge.bundle import Bundle, find_bundle, load_bundle
from edge.errors import EdgeError
from edge.profiles import load_profile
from export.errors import ExportError
from train.errors import TrainError
from train.network import NetworkConfig

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
    paper: NetworkConfig
    """The network that stands for the paper's."""
    precisions: int
    chains: int
    recordings: int
    starts: int
    soak: SoakEffort
    watched_s: float
    bridge: BridgeEffort


FULL = Effort(
    features=50,
    samples=SamplesEffort(rounds=10, samples=20),
    steps=30,
    epoch=EpochEffort(batches=6, batch_size=64),
    engines=50,
    paper=NetworkConfig(),
    precisions=8,
    chains=8,
    recordings=12,
    starts=5,
    soak=SoakEffort(sound_s=3600.0, speed=20.0),
    watched_s=120.0,
    bridge=BridgeEffort(sound_s=600.0, damaged_frames=1_000_000, frames_over_tcp=6000, recordings=60),
)
QUICK = Effort(
    features=2,
    samples=SamplesEffort(rounds=1, samples=2),
    steps=1,
    epoch=EpochEffort(batches=1, batch_size=4),
    engines=2,
    paper=NetworkConfig(depth=18, width=0.125),
    precisions=1,
    chains=1,
    recordings=2,
    starts=1,
    soak=SoakEffort(sound_s=12.0, speed=100.0),
    watched_s=2.0,
    bridge=BridgeEffort(sound_s=5.0, damaged_frames=500, frames_over_tcp=50, recordings=1),
)
"""Enough to see that everything still runs; its figures mean little."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        tables = measure(arguments.model, QUICK if arguments.quick else FULL)
    except (EdgeError, ExportError, TrainError) as error:
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
    """Every table. Raises EdgeError, ExportError or TrainError where the bundle is missing or unfit."""
    bundle = load_bundle(find_bundle(load_profile("littmann3200"), model, os.environ))
    return [
        describe_machine(),
        measure_features(effort.features),
        measure_samples(effort.samples),
        measure_steps(effort.steps),
        measure_epochs(effort.epoch),
        measure_engines(bundle, effort.engines),
        *measure_networks(bundle, effort),
        measure_throughput(bundle.folder, effort.recordings),
        measure_startup(bundle.folder, effort.starts),
        measure_soak(bundle.folder, effort.soak),
        measure_live_view(effort.watched_s),
        measure_bridge(bundle, effort.bridge),
    ]


def measure_networks(bundle: Bundle, effort: Effort) -> list[Table]:
    """The tables that set the released network beside the paper's."""
    with tempfile.TemporaryDirectory() as folder:
        released = released_network(bundle, Path(folder))
        paper = paper_networks(effort.paper, bundle, Path(folder))
        networks = [released, *(each.timed for each in paper.values())]
        return [
            measure_precisions(networks, effort.precisions),
            measure_chains(released, paper, effort.chains),
        ]


if __name__ == "__main__":
    raise SystemExit(main())
