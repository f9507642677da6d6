"""The bundle that is released, from the command that people type."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle import load_bundle

MAX_BUNDLE_BYTES = 45_000_000
"""Git keeps every version of a bundle."""
MAX_RESIDENT_KB = 150_000
"""What `listen` may need on a board with little memory."""

LISTEN_AND_MEASURE = """
import sys
from edge.cli import main
code = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def released(repository: Path) -> Path:
    return repository / "models" / "common"


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RESPIRE_EDGE_MODELS"}


def test_the_released_bundle_is_whole_described_and_small(released: Path) -> None:
    bundle = load_bundle(released)
    assert bundle.device == "common"
    assert bundle.metrics
    assert "Research use only" in (released / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in released.iterdir()) <= MAX_BUNDLE_BYTES


def test_the_demo_hears_its_simulation_within_150_megabytes() -> None:
    arguments = ["listen", "--device", "littmann3200", "--source", "demo", "--no-realtime", "--hop", "3.5"]
    ran = subprocess.run(
        [sys.executable, "-c", LISTEN_AND_MEASURE, *arguments],
        env=environ(), capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(results) == 15
    assert all(result["quality"]["ok"] and result["label"] for result in results)
    assert len({result["probabilities"]["normal"] for result in results}) > 5
    assert {result["source"] for result in results} == {"demo (simulated)"}
    note, peak_kb = ran.stderr.splitlines()
    assert note.startswith("respire-edge: no model of its own for littmann3200; using common@")
    assert int(peak_kb) <= MAX_RESIDENT_KB


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="INT8 is preferred on x86-64 and Arm only")
def test_real_cycles_are_scored_with_the_int8_network(shared_data: Path, tmp_path: Path) -> None:
    recordings = sorted((shared_data / "icbhi" / "audio_and_txt_files").glob("1*_Litt3200.flac"))[:2]
    target = tmp_path / "cycles.jsonl"
    command = [sys.executable, "-m", "edge", "score", *map(str, recordings), "--device", "auto", "--cycles"]
    command += ["--output", str(target)]
    ran = subprocess.run(command, env=environ(), capture_output=True, text=True, timeout=100, check=True)
    results = [json.loads(line) for line in target.read_text().splitlines()]
    lines = [line for path in recordings for line in path.with_suffix(".txt").read_text().splitlines()]
    assert len(results) == len(lines)
    assert {result["engine"] for result in results} == {"onnxruntime-cpu-int8"}
    assert all(abs(sum(result["probabilities"].values()) - 1) < 1e-3 for result in results)
    assert "littmann3200" in ran.stderr
