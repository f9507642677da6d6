import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from export import build_engine, compare, pack
from export.comparison import comparison, text_from_comparison
from export.measure import Measured
from export.onnx_metadata import load_model
from export.quantize import HALF
from export.thresholds import Thresholds, objections_to
from export.validation import Validation
from export.variant import U8
from train.cycles import Cycle
from train.dataset import EvaluationImages

TOLERANT = ["--min-agreement", "0.5", "--max-score-drop", "100"]


@pytest.fixture(scope="module")
def report(comparison_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(comparison_path.read_text())
    return found


def entry(
    score: float = 0.7, agreement: float = 1.0, difference: float = 0.0, precision: str = "int8"
) -> dict[str, Any]:
    return {
        "precision": precision,
        "agreement": agreement,
        "max_probability_difference": difference,
        "figures": {"icbhi": {"score": score}},
    }


def test_everything_is_measured_on_the_same_validation_cycles(report: dict[str, Any]) -> None:
    assert report["data"]["icbhi"] == {
        "extent": "subset", "side": "validation", "recordings": 2, "patients": 2, "cycles": 16
    }  # fmt: skip
    assert set(report["models"]) == {"pytorch", "fp32.onnx", "fp16.onnx", "int8-u8.onnx", "int8-s8.onnx"}
    for found in report["models"].values():
        held = found["figures"]["icbhi"]
        assert np.sum(held["confusion"]) == 16
        assert np.sum(held["confusion"], axis=1).tolist() == [4, 4, 4, 4]
        assert held["score"] == pytest.approx((held["sensitivity"] + held["specificity"]) / 2, abs=1e-4)
        assert found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["p99"]


def test_float_graph_equals_the_checkpoint_and_lower_precision_comes_near(report: dict[str, Any]) -> None:
    models = report["models"]
    assert models["pytorch"]["max_probability_difference"] == 0
    assert models["fp32.onnx"]["max_probability_difference"] <= 1e-4
    assert models[HALF]["max_probability_difference"] < models["int8-u8.onnx"]["max_probability_difference"]
    assert models["fp32.onnx"]["figures"] == models["pytorch"]["figures"]
    for name in (HALF, "int8-u8.onnx", "int8-s8.onnx"):
        assert 0 < models[name]["mean_probability_difference"] < 0.05
        assert models[name]["bytes"] < models["fp32.onnx"]["bytes"]


def test_each_graph_has_its_paired_difference_from_the_reference(report: dict[str, Any]) -> None:
    reference = report["models"]["pytorch"]
    assert "differences" not in reference
    for name, found in report["models"].items():
        held = found["figures"]["icbhi"]
        assert held["intervals"]["score"] is None, "two patients say nothing of others"
        if name != "pytorch":
            gap = held["score"] - reference["figures"]["icbhi"]["score"]
            assert found["differences"]["icbhi"]["score"] == {
                "difference": pytest.approx(gap, abs=1.1e-4), "interval": None, "p_value": None
            }  # fmt: skip


def test_intervals_stand_in_the_report_where_patients_suffice(validation: Validation) -> None:
    labels, rng = validation.images["icbhi"].labels, np.random.default_rng(0)

    def measured(name: str, share_right: float) -> Measured:
        said = np.where(rng.random(labels.size) < share_right, labels, 0)
        probabilities = {"icbhi": (0.1 + 0.6 * np.eye(4)[said]).astype(np.float32)}
        return Measured(name, probabilities, 1, dict.fromkeys(("p50", "p95", "p99"), 1.0), "", "int8")

    found = comparison(measured("pytorch", 1.0), [measured("int8.onnx", 0.5)], validation, Thresholds())
    entry = found["models"]["int8.onnx"]
    held, difference = entry["figures"]["icbhi"], entry["differences"]["icbhi"]["score"]
    assert held["intervals"]["score"][0] < held["score"] < held["intervals"]["score"][1]
    assert difference["interval"][0] < difference["difference"] < difference["interval"][1] < 0
    assert difference["p_value"] < 0.05
    assert f"({100 * difference['interval'][0]:+.2f} to " in text_from_comparison(found)


@pytest.fixture
def validation() -> Validation:
    """Eight patients with ten cycles each, and no images."""
    cycles = [
        Cycle(
            np.zeros(1, np.float32), number % 4, f"{number // 10}", "Meditron", "icbhi", f"{number // 10}", number % 10
        )
        for number in range(80)
    ]
    images = EvaluationImages(np.zeros((0, 1, 1, 1), np.uint8), np.arange(80), tuple(cycles))
    described = {"extent": "subset", "side": "validation", "recordings": 8, "patients": 8, "cycles": 80}
    return Validation({"icbhi": images}, {"icbhi": described})


def test_table_has_a_row_for_each_and_names_the_data(report: dict[str, Any]) -> None:
    text = text_from_comparison(report)
    assert "icbhi (subset): 16 cycles of 2 validation patients" in text
    for name in report["models"]:
        assert sum(line.startswith(name) for line in text.splitlines()) == 2
    assert "icbhi, 95 %" in text


@pytest.mark.parametrize(
    ("found", "objection"),
    [
        (entry(score=0.696), None),
        (entry(score=0.694), "falls by 0.60 points"),
        (entry(score=0.75, agreement=0.981), None),
        (entry(score=0.75, agreement=0.979), "97.90%"),
        (entry(precision="fp32", difference=9e-5, score=0.1, agreement=0.1), None),
        (entry(precision="fp32", difference=2e-4), "2.0e-04"),
        (entry(precision="fp16", difference=2e-4), None),
        (entry(precision="fp16", score=0.694), "falls by 0.60 points"),
    ],
)
def test_graph_is_objected_to_beyond_each_threshold_only(found: dict[str, Any], objection: str | None) -> None:
    objections = objections_to("a.onnx", found, entry(precision="fp32"), Thresholds())
    assert len(objections) == (objection is not None)
    assert objection is None or objection in objections[0]


def test_damaged_graph_gives_exit_code_1_and_says_why(
    checkpoint_folder: Path,
    icbhi_folder: Path,
    quantized_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, _ = load_model(quantized_folder / U8.file_name)
    bias = next(each for each in model.graph.initializer if each.name.endswith("head.6.bias"))
    values = onnx.numpy_helper.to_array(bias) + np.array([0, 0, 0, 100], np.float32)
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(model, tmp_path / "damaged.onnx")
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--repeats", "1"]
    assert compare.main([*arguments, "--onnx", str(tmp_path / "damaged.onnx")]) == 1
    assert "damaged.onnx: agrees in" in capsys.readouterr().out


def test_engines_that_were_not_built_here_are_named_with_the_command(
    checkpoint_folder: Path,
    icbhi_folder: Path,
    fp32_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RESPIRE_EDGE_ENGINES", str(tmp_path))
    bundle = Path(__file__).parents[1] / "golden" / "tiny_bundle"
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--onnx", str(fp32_path)]
    assert compare.main([*arguments, "--tensorrt", str(bundle)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"python -m export.build_engine --model {bundle} --precision int8" in line


def test_an_engine_built_here_gets_its_row(
    stand_ins: Any,
    checkpoint_folder: Path,
    icbhi_folder: Path,
    graphs: list[Path],
    comparison_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RESPIRE_EDGE_ENGINES", str(tmp_path / "engines"))
    bundle, report = tmp_path / "common", tmp_path / "report.json"
    pack.pack(checkpoint_folder, graphs, pack.read_metrics(comparison_path, None, None, "common"), "common", bundle)
    assert build_engine.main(["--model", str(bundle), "--precision", "int8"]) == 0
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--repeats", "2"]
    arguments += ["--onnx", str(bundle / "int8-s8.onnx"), "--tensorrt", str(bundle), "--report", str(report)]
    assert compare.main([*arguments, *TOLERANT]) == 0
    models = json.loads(report.read_text())["models"]
    # The stand-in runs the same file in ONNX Runtime.
    assert models["tensorrt-int8"]["figures"] == models["int8-s8.onnx"]["figures"]
    assert models["tensorrt-int8"]["max_probability_difference"] > 0


def test_graph_of_another_checkpoint_is_refused(
    checkpoint_folder: Path,
    icbhi_folder: Path,
    fp32_model: onnx.ModelProto,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digest = next(each for each in fp32_model.metadata_props if each.key == "checkpoint_sha256")
    digest.value = json.dumps("0" * 64)
    onnx.save(fp32_model, tmp_path / "other.onnx")
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder)]
    assert compare.main([*arguments, "--onnx", str(tmp_path / "other.onnx")]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert "000000000000" in message


def test_folder_without_validation_patients_is_refused(
    checkpoint_folder: Path,
    icbhi_folder: Path,
    fp32_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in icbhi_folder.glob("101_*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(tmp_path), "--onnx", str(fp32_path)]
    assert compare.main(arguments) == 2
    assert "validation patients" in capsys.readouterr().err
