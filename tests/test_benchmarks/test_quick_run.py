"""The benchmark runs from end to end, so that it cannot rot; no figure is judged here, since the machine is shared."""

import re
from pathlib import Path

import numpy as np
import pytest

from edge.signal.bandpass import bandpass, design_bandpass
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT, PAPER_SPECS, FeatureSpec
from train.sampling import Draw

for oracle in ("cv2", "librosa", "matplotlib", "nlpaug", "scipy", "threadpoolctl", "torch"):
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
        "## Training samples",
        "## Steps of a training sample",
        "## An epoch on the processor",
        "## Network",
        "## FP32 and INT8 side by side",
        "## A window, from samples to label",
        "## `respire-edge score`",
        "## `respire-edge listen`",
        "## An hour of `respire-edge listen`",
        "## Watching and recording",
        "## Link to a microcontroller",
    ]
    rows = ("8-bit levels", "image, respirenet", "image, compact", "respirenet | every", "compact | as drawn", "VTLP")
    networks = [f"ResNet-18, width 0.125 | {spec} | int8-u8.onnx" for spec in PAPER_SPECS]
    chains = [f"ResNet-18, width 0.125 | {spec} | onnxruntime-cpu-int8" for spec in PAPER_SPECS]
    for row in (
        *rows,
        "compact_half",
        "narrow",
        "fp32.onnx",
        *networks,
        *chains,
        "WAV, 44100 Hz | 1",
        "demo",
        "memory, growth, MB",
    ):
        assert re.search(rf"^\| {re.escape(row)} \| .*\d", text, flags=re.MULTILINE), row


def test_a_missing_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.run import main

    assert main(["--quick", "--model", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"benchmarks: no model for littmann3200 in {tmp_path}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("spec", PAPER_SPECS.values(), ids=list(PAPER_SPECS))
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


@pytest.mark.parametrize("spec", PAPER_SPECS.values(), ids=list(PAPER_SPECS))
def test_both_sides_make_the_same_image_of_a_training_window(spec: FeatureSpec) -> None:
    from benchmarks.released_samples import image_as_released, image_with_libraries
    from benchmarks.simulated_sound import breathing

    window = breathing(spec.window_s, spec.sample_rate_hz)
    ours = image_from_window(window, spec)
    assert np.mean(image_with_libraries(spec)(window) == ours) >= 0.999
    if spec.layout == "colour":
        assert np.mean(image_as_released(spec)(window).transpose(2, 0, 1) == ours) >= 0.999


@pytest.mark.parametrize("every", [True, False])
def test_the_libraries_make_samples_of_the_same_shape(every: bool) -> None:
    from benchmarks.augmentation import library_samples, our_samples
    from benchmarks.released_samples import image_with_libraries

    libraries = library_samples(COMPACT, image_with_libraries(COMPACT), every=every)
    ours = our_samples(COMPACT, every=every)
    for position in range(0, len(ours.cycles), 5):
        made = libraries.sample(position, np.random.default_rng(position))
        assert made.shape == ours[Draw(position, (0, 0, position))][0].shape
        assert made.max() > 0


def test_nlpaugs_techniques_reach_all_of_the_sound() -> None:
    from benchmarks.released_samples import techniques_over_the_whole_sound
    from benchmarks.simulated_sound import breathing

    sound = breathing(7.0, 4000)
    for name, technique in techniques_over_the_whole_sound(4000).items():
        changed = np.resize(technique(sound), sound.size) != sound
        halves = [half.any() for half in np.array_split(changed, 2)]
        assert all(halves) or (name == "loudness" and any(halves)), name
