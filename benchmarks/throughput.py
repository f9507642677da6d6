"""The whole `respire-edge score` over a folder, as a multiple of real time."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Table
from benchmarks.simulated_sound import write_recordings

SAMPLE_RATE_HZ = 44_100
DURATION_S = 20.0
"""The length of most ICBHI recordings."""
COLUMNS = ("recordings at a time", "wall time, s", "times real time")
NOTE = """\
{count} simulated recordings of 20 s at 44.1 kHz, a window every 3.5 s; the command's own start included."""


def measure_throughput(bundle_folder: Path, count: int) -> Table:
    """One row for one recording at a time and one for as many as there are cores."""
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(Path(folder), count, DURATION_S, SAMPLE_RATE_HZ)
        jobs = sorted({1, len(os.sched_getaffinity(0))})
        rows = [_row(Path(folder), bundle_folder, count * DURATION_S, number) for number in jobs]
    return Table("`respire-edge score`", COLUMNS, rows, NOTE.format(count=count))


def _row(folder: Path, bundle_folder: Path, sound_s: float, jobs: int) -> list[str]:
    output = folder / f"results_{jobs}.jsonl"
    command = [sys.executable, "-m", "edge", "score", str(folder), "--device", "littmann3200"]
    command += ["--model", str(bundle_folder), "--jobs", str(jobs), "--output", str(output)]
    begin_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall_s = time.perf_counter() - begin_s
    return [str(jobs), f"{wall_s:.2f}", f"{sound_s / wall_s:.0f}"]
