from pathlib import Path

import onnx
import pytest

from export import sensitivity
from export.calibration import load_calibration
from export.sensitivity import EVERY, UNCORRECTED, Sensitivity, sensitivities, text_from_rows
from export.variant import S8


def test_each_layer_is_tried_in_float(fp32_model: onnx.ModelProto, calibration_path: Path) -> None:
    images = load_calibration(calibration_path).images[:8]
    rows = list(sensitivities(fp32_model, images, S8, ["layer2.0.conv1", "layer4.1.conv2"]))
    assert [row.left_in_float for row in rows] == [EVERY, UNCORRECTED, "layer2.0.conv1", "layer4.1.conv2"]
    assert all(0 < row.mean_difference <= row.max_difference for row in rows)
    assert len({row.mean_difference for row in rows}) == len(rows), "each leaves something else in float"


def test_unknown_layer_is_refused_with_the_known_ones(
    fp32_path: Path, calibration_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(fp32_path), "--calibration", str(calibration_path), "--layers", "layer9"]
    assert sensitivity.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "layer9" in line
    assert "layer4.1.conv2" in line


def test_table_puts_what_helps_most_first() -> None:
    rows = [
        Sensitivity("a", name, mean, 0.1)
        for name, mean in ((EVERY, 0.03), (UNCORRECTED, 0.04), ("first", 0.02), ("second", 0.01))
    ]
    names = [line.split("  ")[0] for line in text_from_rows(rows).splitlines()[2:]]
    assert names[:4] == [EVERY, UNCORRECTED, "second", "first"]


def test_missing_calibration_gets_one_line(fp32_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sensitivity.main(["--model", str(fp32_path), "--calibration", str(tmp_path / "none.npz")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "export.calibrate" in line
