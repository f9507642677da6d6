"""The bundle that is released, from the command that people type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle import find_bundle, load_bundle
from edge.checksums import CHECKSUMS_NAME
from edge.profiles import load_profile

MAX_BUNDLES_BYTES = 45_000_000
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


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RESPIRE_EDGE_MODELS"}


@pytest.mark.parametrize("name", ["common"])
def test_a_released_bundle_is_whole_and_described(repository: Path, name: str) -> None:
    released = repository / "models" / name
    bundle = load_bundle(released)
    assert bundle.device == name
    assert bundle.metrics
    assert bundle.golden is not None
    assert set(bundle.golden.tolerance) == set(bundle.files)
    assert (released / CHECKSUMS_NAME).is_file()
    assert "Research use only" in (released / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_all_released_bundles_together_are_small(repository: Path) -> None:
    files = [path for path in (repository / "models").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BUNDLES_BYTES
    assert [path for path in files if path.suffix == ".engine"] == [], (
        "an engine runs on the machine that built it alone"
    )


def test_the_doctor_finds_every_released_model_in_order(repository: Path) -> None:
    command = [sys.executable, "-m", "edge", "doctor", "--engine", "onnx"]
    ran = subprocess.run(command, env=environ(), capture_output=True, text=True, timeout=100, check=False)
    assert ran.stderr == ""
    faults = [line for line in ran.stdout.splitlines() if line.startswith(("✗ model", "✗ engine for", "✗ golden"))]
    assert faults == [], "whatever else this machine lacks"
    for name in ("common",):
        model_id = load_bundle(repository / "models" / name).model_id
        assert f"✓ golden inputs of {model_id}: 20 images through onnxruntime-cpu-" in ran.stdout


def test_every_stethoscope_is_heard_by_the_common_model(repository: Path) -> None:
    """None of its own did better in cross-validation."""
    for name in ("littmann3200", "meditron", "akgc417l", "littc2se"):
        assert find_bundle(load_profile(name), None, environ()) == repository / "models" / "common"


def test_the_demo_hears_its_simulation_within_150_megabytes() -> None:
    arguments = ["listen", "--device", "littc2se", "--source", "demo", "--no-realtime", "--hop", "3.5"]
    ran = subprocess.run(
        [sys.executable, "-c", LISTEN_AND_MEASURE, *arguments],
        env=environ(), capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    results = [record for record in records if record["record"] == "result"]
    assert len(results) == 16
    assert all(result["quality"]["ok"] and result["label"] for result in results)
    assert len({result["probabilities"]["normal"] for result in results}) > 5
    assert {result["source"] for result in results} == {"demo (simulated)"}
    note, peak_kb = ran.stderr.splitlines()
    assert note.startswith("respire-edge: no model of its own for littc2se; using common@")
    assert int(peak_kb) <= MAX_RESIDENT_KB


def test_real_cycles_are_scored_with_the_released_network(shared_data: Path, tmp_path: Path) -> None:
    recordings = sorted((shared_data / "icbhi" / "audio_and_txt_files").glob("1*_Litt3200.flac"))[:2]
    target = tmp_path / "cycles.jsonl"
    command = [sys.executable, "-m", "edge", "score", *map(str, recordings), "--device", "auto", "--cycles"]
    command += ["--output", str(target)]
    subprocess.run(command, env=environ(), capture_output=True, text=True, timeout=100, check=True)
    records = [json.loads(line) for line in target.read_text().splitlines()]
    results = [record for record in records if record["record"] == "result"]
    lines = [line for path in recordings for line in path.with_suffix(".txt").read_text().splitlines()]
    assert len(results) == len(lines)
    assert {result["engine"] for result in results} == {"onnxruntime-cpu-fp32"}
    assert all(abs(sum(result["probabilities"].values()) - 1) < 1e-3 for result in results)
    assert {result["model"].partition("@")[0] for result in results} == {"common"}
