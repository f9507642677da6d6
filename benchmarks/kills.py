"""`respire-edge score` killed at random a hundred times, each time gone on with, and compared with an unbroken run.

`python -m benchmarks.kills [--kills 100] [--seed 0]` prints how many left the same output, byte for byte. Each kill is
of a run of its own, which is then resumed to its end; the moment is uniform over what an unbroken run takes.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.simulated_sound import write_recordings

RECORDINGS = 40
DURATION_S = 8.0
SAMPLE_RATE_HZ = 8000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.kills", description="Kill score at random, and go on.")
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments; default: 0")
    arguments = parser.parse_args(argv)
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_recordings(folder / "recordings", RECORDINGS, DURATION_S, SAMPLE_RATE_HZ, "wav")
        begin_s = time.perf_counter()
        unbroken = _finished(folder, "unbroken.jsonl")
        whole_s = time.perf_counter() - begin_s
        runs, killed, alike = 0, 0, 0
        while killed < arguments.kills:
            output = f"{runs}.jsonl"
            runs += 1
            if _kill(folder, output, chance.uniform(0, whole_s)):
                killed += 1
                alike += _finished(folder, output) == unbroken
    print(f"{runs} runs, {killed} of them killed before their end, {alike} of those resumed to the same output")
    return 0 if alike == arguments.kills else 1


def _command(folder: Path, output: str) -> list[str]:
    command = [sys.executable, "-m", "edge", "score", str(folder / "recordings"), "--device", "littmann3200"]
    return [*command, "--jobs", "2", "--output", str(folder / output), "--resume"]


def _kill(folder: Path, output: str, after_s: float) -> bool:
    """Whether the run was still going on when it was killed (SIGKILL)."""
    running = subprocess.Popen(_command(folder, output), stderr=subprocess.DEVNULL)
    try:
        running.wait(after_s)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return True
    return False


def _finished(folder: Path, output: str) -> bytes:
    subprocess.run(_command(folder, output), check=True, stderr=subprocess.DEVNULL)
    return (folder / output).read_bytes()


if __name__ == "__main__":
    raise SystemExit(main())
