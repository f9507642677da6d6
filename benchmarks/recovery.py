"""How long `respire-edge listen` takes to notice that its input is gone, to hear it again, and to end when told to.

`python -m benchmarks.recovery [--rounds N]`, about a minute a round; most of it is waiting, so that it is no part of
`benchmarks.run`.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import Table, markdown_from_tables
from edge.bundle import find_bundle
from edge.profiles import load_profile
from tools.sound_server import SoundServer, made_sound_server, missing_sound_packages

COLUMNS = ("what", "median, s", "longest, s", "to reach, s")
NOTE = """\
`listen` through PortAudio and ALSA's pulse plugin on a PulseAudio that is killed, frozen (SIGSTOP), let go on and
started again, {rounds} times each; from the signal, or the server's first answer, until the event or the end of the
process. A fresh PulseAudio without hardware keeps its first sound back for 2 s."""
AWAY_S = (0.3, 1.1, 2.3, 5.7, 9.0)
"""Other times than the attempts' own, so that the server comes back at any point between them."""
PATIENCE_S = 30.0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.recovery", description="Measure how `listen` recovers.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    rounds = parser.parse_args(argv).rounds
    bundle_folder = find_bundle(load_profile("littmann3200"), None, os.environ)
    print(markdown_from_tables([measure_recovery(bundle_folder, rounds)]))
    return 0


def measure_recovery(bundle_folder: Path, rounds: int) -> Table:
    """A row for each thing that takes time; none where this machine has no sound server."""
    if missing := missing_sound_packages():
        return Table("Recovery", COLUMNS, [], f"Not measured: {', '.join(missing)} missing.")
    seconds: dict[str, list[float]] = {}
    for number in range(rounds):
        for measure in (_killed, _frozen, _stopped_while_frozen, _stopped_while_reopening):
            with made_sound_server() as server:
                server.start()
                with _Listening(server, bundle_folder) as listening:
                    for what, took_s in measure(listening, server, AWAY_S[number % len(AWAY_S)]).items():
                        seconds.setdefault(what, []).append(took_s)
    return Table("Recovery", COLUMNS, [_row(what, each) for what, each in seconds.items()], NOTE.format(rounds=rounds))


def _row(what: str, seconds: Sequence[float]) -> list[str]:
    to_reach_s = {"noticed": "2", "heard": "10", "ended": "1"}[what.split()[0]]
    return [what, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", to_reach_s]


@dataclass(frozen=True)
class _Told:
    at_s: float
    event: dict[str, Any]


class _Listening:
    """A running `listen`, read line by line as it writes."""

    def __init__(self, server: SoundServer, bundle_folder: Path) -> None:
        command = [sys.executable, "-m", "edge", "listen", "--device", "littmann3200", "--model", str(bundle_folder)]
        command += ["--source", f"mic:{server.input_name}", "--output", "-"]
        self._process = subprocess.Popen(
            command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> "_Listening":
        self.wait_for("result")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_for(self, *names: str) -> _Told:
        """The next result or event of one of these names."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            record = json.loads(line)
            if record.get("event", record["record"]) in names:
                return _Told(time.monotonic(), record)
        raise RuntimeError(f"listen ended before it told of {', '.join(names)}")

    def end(self, number: signal.Signals) -> float:
        """How long it takes to end after a signal."""
        begin_s = time.monotonic()
        self._process.send_signal(number)
        self._process.communicate(timeout=PATIENCE_S)
        if self._process.returncode != 0:
            raise RuntimeError(f"listen ended with exit status {self._process.returncode}")
        return time.monotonic() - begin_s


def _killed(listening: _Listening, server: SoundServer, away_s: float) -> dict[str, float]:
    begin_s = time.monotonic()
    server.kill()
    lost = listening.wait_for("source-lost")
    time.sleep(away_s)
    server.start()
    back_s = time.monotonic()
    resumed = listening.wait_for("source-resumed")
    return {"noticed that the server was killed": lost.at_s - begin_s, "heard it again": resumed.at_s - back_s}


def _frozen(listening: _Listening, server: SoundServer, away_s: float) -> dict[str, float]:
    begin_s = time.monotonic()
    server.freeze()
    lost = listening.wait_for("source-lost")
    time.sleep(away_s)
    server.thaw()
    back_s = time.monotonic()
    resumed = listening.wait_for("source-resumed")
    return {"noticed that the server froze": lost.at_s - begin_s, "heard it go on": resumed.at_s - back_s}


def _stopped_while_frozen(listening: _Listening, server: SoundServer, _away_s: float) -> dict[str, float]:
    server.freeze()
    return {"ended while the server was frozen": listening.end(signal.SIGINT)}


def _stopped_while_reopening(listening: _Listening, server: SoundServer, away_s: float) -> dict[str, float]:
    server.freeze()
    listening.wait_for("source-lost")
    time.sleep(away_s)
    return {"ended while the input was opened again": listening.end(signal.SIGTERM)}


if __name__ == "__main__":
    raise SystemExit(main())
