from pathlib import Path

import onnx
import pytest

from edge.signal.spec import COMPACT
from export.errors import GraphError
from export.onnx_metadata import load_model


def set_property(model: onnx.ModelProto, key: str, value: str | None) -> None:
    properties = {entry.key: entry.value for entry in model.metadata_props if entry.key != key}
    onnx.helper.set_model_props(model, properties if value is None else {**properties, key: value})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("feature_spec", None, "missing or damaged"),
        ("training_run", "{", "missing or damaged"),
        ("labels", '["crackle", "normal", "wheeze", "both"]', "labels"),
        ("feature_fingerprint", "0123456789abcdef", COMPACT.fingerprint()),
    ],
)
def test_wrong_metadata_is_refused_with_the_reason(
    key: str, value: str | None, message: str, fp32_model: onnx.ModelProto, tmp_path: Path
) -> None:
    path = tmp_path / "changed.onnx"
    set_property(fp32_model, key, value)
    onnx.save(fp32_model, path)
    with pytest.raises(GraphError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "export" in str(caught.value)


def test_graph_without_any_metadata_is_refused(fp32_model: onnx.ModelProto, tmp_path: Path) -> None:
    del fp32_model.metadata_props[:]
    onnx.save(fp32_model, tmp_path / "foreign.onnx")
    with pytest.raises(GraphError, match="export_onnx"):
        load_model(tmp_path / "foreign.onnx")


def test_missing_and_cut_files_are_refused(fp32_path: Path, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="no such file"):
        load_model(tmp_path / "absent.onnx")
    (tmp_path / "cut.onnx").write_bytes(fp32_path.read_bytes()[:5000])
    with pytest.raises(GraphError, match="cannot be read as ONNX"):
        load_model(tmp_path / "cut.onnx")
