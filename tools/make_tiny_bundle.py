"""Make tests/golden/tiny_bundle: a real bundle of two kilobytes, for tests of the device side without a trained model.

Its network compares the mean level of four bands of rows. It knows nothing of lungs, but its answers change with the
sound, and it is quick. When the definition of the features changes, run `python -m tools.make_tiny_bundle` and commit
the outcome.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.labels import LABELS
from edge.signal.spec import COMPACT, FeatureSpec

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "tiny_bundle"
MODEL_NAME = "fp32.onnx"
BANDS = 4
MEAN, STD = 96.0, 64.0
WEIGHTS = 8 * np.eye(BANDS) - 2
"""Each class is drawn to one band and pushed away by the others."""
BIAS = (4.4, 1.7, -0.1, -6.0)
"""Makes the four answers about equally frequent on real lung sounds, whose low bands are the loudest."""
OPSET, IR_VERSION = 17, 8
"""Old enough for every ONNX Runtime that the device may have."""
DEVICE = "common"


def make_tiny_bundle(folder: Path, spec: FeatureSpec = COMPACT) -> None:
    """Write the bundle into `folder`, which is made; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    content = _model(spec).SerializeToString(deterministic=True)
    (folder / MODEL_NAME).write_bytes(content)
    manifest = json.dumps(_manifest(spec, content), indent=2) + "\n"
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")


def _model(spec: FeatureSpec) -> onnx.ModelProto:
    channels, rows, frames = spec.image_shape
    constants = {
        "mean": np.float32(MEAN),
        "std": np.float32(STD),
        "weights": WEIGHTS.astype(np.float32),
        "bias": np.array(BIAS, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["levels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normalised"]),
        helper.make_node("ReduceMean", ["normalised"], ["mono"], axes=[1], keepdims=1),
        helper.make_node(
            "AveragePool", ["mono"], ["bands"], kernel_shape=[rows // BANDS, frames], strides=[rows // BANDS, frames]
        ),
        helper.make_node("Flatten", ["bands"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", channels, rows, frames])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, _metadata(spec))
    onnx.checker.check_model(model, full_check=True)
    return model


def _metadata(spec: FeatureSpec) -> dict[str, str]:
    return {
        "feature_spec": json.dumps(spec.to_dict()),
        "feature_fingerprint": spec.fingerprint(),
        "labels": json.dumps(LABELS),
        "device": DEVICE,
        "training_run": "{}",
    }


def _manifest(spec: FeatureSpec, content: bytes) -> dict[str, Any]:
    return {
        "schema": 1,
        "device": DEVICE,
        "labels": list(LABELS),
        "feature_spec": spec.to_dict(),
        "feature_fingerprint": spec.fingerprint(),
        "input": {"mean": [MEAN], "std": [STD], "where": "inside the graph"},
        "files": {
            MODEL_NAME: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "precision": "fp32"}
        },
        "metrics": {},
        "training_run": {},
    }


def main() -> int:
    """Write the golden bundle."""
    make_tiny_bundle(GOLDEN)
    print(f"wrote {GOLDEN}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
