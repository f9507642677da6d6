"""The benchmark runs from end to end, so that it cannot rot; no figure is judged here, since the machine is shared."""

import re
from pathlib import Path

import numpy as np
import pytest

from edge.signal.bandpass import bandpass, design_bandpass
from edge.signal.image import image_from_window
from edge.signal.spec import SPECS, FeatureSpec

for oracle in ("cv2", "librosa", "matplotlib", "scipy", "threadpoolctl"):
    pytest.importorskip(oracle)


def test_the_quick_run_fills_every_table(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.run import main

    monkeypatch.chdir(repository)
    report = tmp_path / "benchmarks.md"
    bundle = repository / "tests" / "golden" / "tiny_bundle"
    assert main(["--quick", "--model", str(bundle), "--output", str(report)]) == 0
    text = report.read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() == text.strip()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Machine",
        "## Features of one window",
        "## Network",
        "## `respire-edge score`",
        "## `respire-edge listen`",
    ]
    for row in ("8-bit levels", "image, respirenet", "image, compact", "fp32.onnx", "1", "demo"):
        assert re.search(rf"^\| {re.escape(row)} \| .*\d", text, flags=re.MULTILINE), row


def test_a_missing_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.run import main

    assert main(["--quick", "--model", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"benchmarks: no model for littmann3200 in {tmp_path}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
@pytest.mark.parametrize("keep_filterbank", [True, False])
def test_both_sides_of_the_comparison_make_the_same_image(spec: FeatureSpec, keep_filterbank: bool) -> None:
    from benchmarks.reference_chain import reference_chain
    from benchmarks.simulated_sound import breathing

    samples = breathing(spec.window_s, spec.sample_rate_hz)
    edges_hz = (spec.bandpass_low_hz, spec.bandpass_high_hz)
    design = design_bandpass(spec.bandpass_order, *edges_hz, spec.sample_rate_hz)
    filtered, _ = bandpass(samples, design.initial_state(), design)
    ours = image_from_window(filtered.astype(np.float32), spec)
    theirs = reference_chain(spec, keep_filterbank=keep_filterbank).image(samples)
    assert theirs.shape == ours.shape == spec.image_shape
    assert np.mean(ours == theirs) >= 0.999
