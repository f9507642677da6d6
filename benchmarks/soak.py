"""An hour of `respire-edge listen`, twenty times as fast: memory, processor time and the time to a result.

`python -m benchmarks.soak [--sound SECONDS] [--speed FACTOR]` prints it alone; `benchmarks.run` has it as one table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.report import Table, markdown_from_tables
from benchmarks.soak_probe import BLOCK_S, CHANNELS, SAMPLE_RATE_HZ
from edge.bundle import find_bundle
from edge.profiles import load_profile

DEVICE = "littmann3200"
HOP_S = 1.0
WARM_UP_S = 10.0
"""The first window is full after 7 s; what the libraries set up in it belongs to the start."""
COLUMNS = ("what", "measured", "to reach")
NOTE = """\
`listen --device {device} --hop 1` on {minutes:.0f} min of simulated breathing at {rate} Hz, {channels} channels, in
blocks of {block_ms:.0f} ms, {speed:g} times as fast as real time, results to a file. A result's time runs from the
block that completes its window being there until `listen` asks for the next one: band-pass, image, network, quality,
decision and writing; {results} results. Processor time: of one core, for sound at its real speed. Memory is what is
resident, read once a minute of sound; growth is the last reading less that after the first minute."""


@dataclass(frozen=True)
class SoakEffort:
    """How long, and how fast."""

    sound_s: float
    speed: float


@dataclass(frozen=True)
class Soak:
    """What a run left."""

    result_ms: Sequence[float]
    resident_mb: Sequence[float]
    cpu_share: float

    @property
    def growth_mb(self) -> float:
        """Between the end of the first minute and the end; all of it where the run was no longer."""
        return self.resident_mb[-1] - self.resident_mb[min(1, len(self.resident_mb) - 2)]


def measure_soak(bundle_folder: Path, effort: SoakEffort) -> Table:
    """A row for each of the promised figures."""
    soak = run_soak(bundle_folder, effort)
    note = NOTE.format(
        device=DEVICE, minutes=effort.sound_s / 60, rate=SAMPLE_RATE_HZ, channels=CHANNELS, block_ms=BLOCK_S * 1000,
        speed=effort.speed, results=len(soak.result_ms),
    )  # fmt: skip
    return Table("An hour of `respire-edge listen`", COLUMNS, rows_of(soak), note)


def rows_of(soak: Soak) -> list[list[str]]:
    p50, p95, p99 = np.percentile(soak.result_ms, (50, 95, 99))
    return [
        ["last sample in to result out, p50, ms", f"{p50:.1f}", ""],
        ["last sample in to result out, p95, ms", f"{p95:.1f}", ""],
        ["last sample in to result out, p99, ms", f"{p99:.1f}", "20"],
        ["processor time, share of one core", f"{soak.cpu_share:.1%}", "3%"],
        ["memory at the end, MB", f"{soak.resident_mb[-1]:.1f}", "120"],
        ["memory, growth, MB", f"{soak.growth_mb:+.1f}", "1"],
    ]


def run_soak(bundle_folder: Path, effort: SoakEffort) -> Soak:
    """Listen in a process of its own. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        listen = ["--device", DEVICE, "--hop", str(HOP_S), "--model", str(bundle_folder)]
        listen += ["--output", str(Path(folder) / "results.jsonl")]
        probe = [sys.executable, "-m", "benchmarks.soak_probe", str(effort.sound_s), str(effort.speed)]
        outcome = subprocess.run([*probe, *listen], check=True, stdout=subprocess.PIPE, text=True)
    left = json.loads(outcome.stdout)
    return Soak(_result_ms(left["busy_s"]), left["resident_mb"], left["cpu_s"] / effort.sound_s)


def _result_ms(busy_s: Sequence[float]) -> list[float]:
    """Of each hop the block that took longest: the one that completed a window."""
    settled = np.asarray(busy_s)[round(WARM_UP_S / BLOCK_S) :]
    blocks_a_hop = round(HOP_S / BLOCK_S)
    hops = settled[: len(settled) // blocks_a_hop * blocks_a_hop].reshape(-1, blocks_a_hop)
    return [float(slowest) for slowest in hops.max(axis=1) * 1000]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description="Listen for an hour, faster.")
    parser.add_argument("--sound", type=float, default=3600.0, metavar="SECONDS", help="how much sound; default: 3600")
    parser.add_argument("--speed", type=float, default=20.0, metavar="FACTOR", help="default: 20")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a bundle; default: the one that comes along")
    arguments = parser.parse_args(argv)
    folder = find_bundle(load_profile(DEVICE), arguments.model, os.environ)
    soak = measure_soak(folder, SoakEffort(arguments.sound, arguments.speed))
    print(markdown_from_tables([describe_machine(), soak]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
