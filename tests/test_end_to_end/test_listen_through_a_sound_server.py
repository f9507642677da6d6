"""`respire-edge listen` on a live input: PortAudio captures what another program plays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.audio.lung_sounds import simulate_cycle

if TYPE_CHECKING:
    from tools.sound_server import SoundServer

RESULTS_WANTED = 3
DEADLINE_S = 60


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_live_sound_is_classified_until_somebody_stops_it(sound_server: SoundServer, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    rate_hz, rng = sound_server.sample_rate_hz, np.random.default_rng(5)
    breathing = np.concatenate([simulate_cycle("wheeze", rate_hz, rng) for _ in range(12)])
    soundfile.write(tmp_path / "breathing.wav", breathing, rate_hz)
    output = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "edge", "listen", "--device", "meditron", "--hop", "0.5", "--output", str(output)]
    command += ["--source", f"mic:{sound_server.input_name}"]

    with sound_server.play(tmp_path / "breathing.wav") as player:
        with subprocess.Popen(command, env=sound_server.environment, stderr=subprocess.PIPE, text=True) as listening:
            deadline_s = time.monotonic() + DEADLINE_S
            while len(lines_of(output)) < RESULTS_WANTED and time.monotonic() < deadline_s:
                time.sleep(0.1)
            listening.send_signal(signal.SIGINT)
            _, errors = listening.communicate(timeout=20)
        player.kill()

    results = [record for record in map(json.loads, lines_of(output)) if record["record"] == "result"]
    assert listening.returncode == 0, errors
    assert len(results) >= RESULTS_WANTED
    assert [result["end_s"] for result in results[:RESULTS_WANTED]] == [5.0, 5.5, 6.0]
    assert {result["source"] for result in results} == {f"mic:{sound_server.input_name}"}
    # The first window may hold the moment in which the input opened; by the third only breathing is left.
    assert results[RESULTS_WANTED - 1]["quality"] == {"ok": True, "reasons": []}
    assert results[RESULTS_WANTED - 1]["label"] is not None
