"""Start-up time and peak memory of `respire-edge listen`, each in a process of its own."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Table

COLUMNS = ("source", "ready for audio, s", "peak memory, MB")
NOTE = """\
Ready: from starting the process until the program asks its source for the first block, engine and source open; median
of {repeats} starts. Peak memory (resident) is that of the whole demo: 56 s of sound. To reach: 1.5 s and 150 MB."""

PROBE = """
import json, sys, time
import edge.listen
from edge.cli import main

def peak_mb():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3

def watched(*arguments, **options):
    source = opened(*arguments, **options)
    blocks = source.blocks
    def first_asked():
        report["ready_s"] = time.monotonic() - float(sys.argv[1])
        for block in blocks():
            yield block
            if sys.argv[2] == "first":
                return
    source.blocks = first_asked
    return source

report = {}
opened, edge.listen.open_source = edge.listen.open_source, watched
code = main(sys.argv[3:])
report["peak_mb"] = peak_mb()
print(json.dumps(report), file=sys.stderr)
sys.exit(code)
"""
"""Runs the real command; the clock is the system's, shared by both processes."""


def measure_startup(bundle_folder: Path, repeats: int) -> Table:
    """A row for the demo, and one for a microphone where there is one."""
    starts = [_probe("demo", bundle_folder, "all") for _ in range(repeats)]
    ready_s = statistics.median(start["ready_s"] for start in starts)
    rows = [["demo", f"{ready_s:.2f}", f"{max(start['peak_mb'] for start in starts):.0f}"], _microphone(bundle_folder)]
    return Table("`respire-edge listen`", COLUMNS, rows, NOTE.format(repeats=repeats))


def _microphone(bundle_folder: Path) -> list[str]:
    try:
        start = _probe("mic", bundle_folder, "first")
    except subprocess.CalledProcessError:
        return ["microphone", "none on this machine", ""]
    return ["microphone", f"{start['ready_s']:.2f}", f"{start['peak_mb']:.0f} (first block)"]


def _probe(source: str, bundle_folder: Path, extent: str) -> dict[str, float]:
    listen = ["listen", "--device", "littmann3200", "--source", source, "--no-realtime", "--model", str(bundle_folder)]
    command = [sys.executable, "-c", PROBE, str(time.monotonic()), extent, *listen]
    outcome = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: float(value) for name, value in json.loads(outcome.stderr.splitlines()[-1]).items()}
