"""The whole `respire-edge score` over a folder, as a multiple of real time."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Table
from benchmarks.simulated_sound import write_recordings

DURATION_S = 60.0
TO_REACH = 600
COLUMNS = ("recordings", "at a time", "wall time, s", "of it starting, s", "times real time", "starting included")
NOTE = """\
{count} simulated recordings of 60 s each, a window every 3.5 s, results to a file. Starting: the same command on
recordings of a second, one for each at a time. Processor cores: {cores}. To reach: {to_reach} times real time a core,
starting left out."""


@dataclass(frozen=True)
class Kind:
    """How recordings are stored."""

    suffix: str
    sample_rate_hz: int


KINDS = (Kind("wav", 44_100), Kind("flac", 44_100), Kind("wav", 4000))
"""What ICBHI's 44.1 kHz recordings, the same compressed, and a Littmann 3200's are."""


def measure_throughput(bundle_folder: Path, count: int) -> Table:
    """A row for each kind of recording, one at a time and as many as there are cores."""
    cores = len(os.sched_getaffinity(0))
    rows = [_row(kind, bundle_folder, count, jobs) for kind in KINDS for jobs in sorted({1, cores})]
    return Table("`respire-edge score`", COLUMNS, rows, NOTE.format(count=count, cores=cores, to_reach=TO_REACH))


def _row(kind: Kind, bundle_folder: Path, count: int, jobs: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder, "short"), Path(folder, "long")
        write_recordings(short, jobs, 1.0, kind.sample_rate_hz, kind.suffix)
        write_recordings(long, count, DURATION_S, kind.sample_rate_hz, kind.suffix)
        start_s, wall_s = (_wall_s(recordings, bundle_folder, jobs) for recordings in (short, long))
    sound_s = count * DURATION_S
    what = f"{kind.suffix.upper()}, {kind.sample_rate_hz} Hz"
    shares = (f"{sound_s / (wall_s - start_s):.0f}", f"{sound_s / wall_s:.0f}")
    return [what, str(jobs), f"{wall_s:.2f}", f"{start_s:.2f}", *shares]


def _wall_s(folder: Path, bundle_folder: Path, jobs: int) -> float:
    command = [sys.executable, "-m", "edge", "score", str(folder), "--device", "littmann3200"]
    command += ["--model", str(bundle_folder), "--jobs", str(jobs), "--output", str(folder / "results.jsonl")]
    begin_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin_s
