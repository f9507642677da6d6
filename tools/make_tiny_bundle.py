"""Make tests/golden/tiny_bundle: a real bundle of ten kilobytes, for tests of the device side without a trained model.

Its network compares the mean level of four bands of rows. It knows nothing of lungs, but its answers change with the
sound, and it is quick. It comes in float32, in float16 by casts and in int8 with Q/DQ, laid out as in a released
bundle, with golden inputs; SHA256SUMS is left out, so that tests may change the manifest. When the definition of the
features changes, run `python -m tools.make_tiny_bundle` and commit the outcome.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.engine.golden import IMAGES, REFERENCE
from edge.labels import LABELS
from edge.signal.spec import COMPACT, FeatureSpec

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "tiny_bundle"
GOLDEN_NAME = "golden.npz"
FILES: dict[str, dict[str, str]] = {
    "fp32.onnx": {"precision": "fp32"},
    "fp16.onnx": {"precision": "fp16"},
    "int8-s8.onnx": {"precision": "int8", "activations": "int8"},
}
TOLERANCES = {"fp32": 0.0001, "fp16": 0.005, "int8": 0.02}
"""A level that another engine rounds to the neighbouring step of INT8 changes a probability by up to 0.01."""
BANDS = 4
MEAN, STD = 96.0, 64.0
WEIGHTS = 8 * np.eye(BANDS) - 2
"""Each class is drawn to one band and pushed away by the others."""
BIAS = (4.4, 1.7, -0.1, -6.0)
"""Makes the four answers about equally frequent on real lung sounds, whose low bands are the loudest."""
STEPS = 127
"""Of INT8 from 0 to the largest number."""
OPSET, IR_VERSION = 17, 8
"""Old enough for every ONNX Runtime that the device may have."""
DEVICE = "common"

Constants = dict[str, NDArray[Any]]


def make_tiny_bundle(folder: Path, spec: FeatureSpec = COMPACT) -> None:
    """Write the bundle into `folder`, which is made; the same bytes every time on the same machine."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in FILES.items():
        (folder / name).write_bytes(_model(spec, kind["precision"]).SerializeToString(deterministic=True))
    np.savez_compressed(folder / GOLDEN_NAME, **_golden_arrays(folder, spec))  # type: ignore[arg-type]  # names
    manifest = json.dumps(_manifest(folder, spec), indent=2) + "\n"
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")


def _model(spec: FeatureSpec, precision: str) -> onnx.ModelProto:
    channels, rows, frames = spec.image_shape
    kernel = WEIGHTS.T.reshape(BANDS, 1, BANDS, 1).astype(np.float32)
    convolution, constants = {"fp32": _float32, "fp16": _float16, "int8": _int8}[precision](kernel)
    constants |= {"mean": np.array(MEAN, np.float32), "std": np.array(STD, np.float32)}
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["levels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normalised"]),
        helper.make_node("ReduceMean", ["normalised"], ["mono"], axes=[1], keepdims=1),
        helper.make_node(
            "AveragePool", ["mono"], ["bands"], kernel_shape=[rows // BANDS, frames], strides=[rows // BANDS, frames]
        ),
        *convolution,
        helper.make_node("Flatten", ["scores"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, channels, rows, frames])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, _metadata(spec))
    onnx.checker.check_model(model, full_check=True)
    return model


def _float32(kernel: NDArray[np.float32]) -> tuple[list[onnx.NodeProto], Constants]:
    """From the four bands to the four scores, and its constants."""
    node = helper.make_node("Conv", ["bands", "kernel", "bias"], ["scores"])
    return [node], {"kernel": kernel, "bias": np.array(BIAS, np.float32)}


def _float16(kernel: NDArray[np.float32]) -> tuple[list[onnx.NodeProto], Constants]:
    nodes = [
        helper.make_node("Cast", ["bands"], ["half_bands"], to=TensorProto.FLOAT16),
        helper.make_node("Conv", ["half_bands", "kernel", "bias"], ["half_scores"]),
        helper.make_node("Cast", ["half_scores"], ["scores"], to=TensorProto.FLOAT),
    ]
    return nodes, {"kernel": kernel.astype(np.float16), "bias": np.array(BIAS, np.float16)}


def _int8(kernel: NDArray[np.float32]) -> tuple[list[onnx.NodeProto], Constants]:
    """As TensorRT wants it: zero-point 0, weights with one scale per output channel, the bias in float32."""
    kernel_scale = np.abs(kernel).max(axis=(1, 2, 3)) / STEPS
    nodes = [
        helper.make_node("QuantizeLinear", ["bands", "bands_scale", "zero"], ["quantized_bands"]),
        helper.make_node("DequantizeLinear", ["quantized_bands", "bands_scale", "zero"], ["rounded_bands"]),
        helper.make_node("DequantizeLinear", ["kernel", "kernel_scale", "zeros"], ["rounded_kernel"], axis=0),
        helper.make_node("Conv", ["rounded_bands", "rounded_kernel", "bias"], ["scores"]),
    ]
    constants = {
        "bands_scale": np.array((255 - MEAN) / STD / STEPS, np.float32),
        "zero": np.array(0, np.int8),
        "kernel": np.rint(kernel / kernel_scale.reshape(-1, 1, 1, 1)).astype(np.int8),
        "kernel_scale": kernel_scale,
        "zeros": np.zeros(BANDS, np.int8),
        "bias": np.array(BIAS, np.float32),
    }
    return nodes, constants


def _metadata(spec: FeatureSpec) -> dict[str, str]:
    return {
        "feature_spec": json.dumps(spec.to_dict()),
        "feature_fingerprint": spec.fingerprint(),
        "labels": json.dumps(LABELS),
        "device": DEVICE,
        "training_run": "{}",
    }


def _golden_arrays(folder: Path, spec: FeatureSpec) -> Mapping[str, NDArray[np.generic]]:
    images = _golden_images(spec)
    found = {name: _probabilities(folder / name, images) for name in FILES}
    return {IMAGES: images, REFERENCE: found["fp32.onnx"], **found}


def _golden_images(spec: FeatureSpec) -> NDArray[np.uint8]:
    """Rows of one level each, which is all that the network sees; four times each band is the loudest."""
    channels, rows, frames = spec.image_shape
    levels = np.random.default_rng(0).integers(60, 160, size=(4 * BANDS, rows))
    for number, each in enumerate(levels):
        each.reshape(BANDS, -1)[number % BANDS] += 15
    return np.tile(levels[:, None, :, None], (1, channels, 1, frames)).astype(np.uint8)


def _probabilities(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": image[None]})[0] for image in images], dtype=np.float32)


def _manifest(folder: Path, spec: FeatureSpec) -> dict[str, Any]:
    return {
        "schema": 1,
        "device": DEVICE,
        "labels": list(LABELS),
        "feature_spec": spec.to_dict(),
        "feature_fingerprint": spec.fingerprint(),
        "input": {"mean": [MEAN], "std": [STD], "where": "inside the graph"},
        "files": {name: {**_identity(folder / name), **kind} for name, kind in FILES.items()},
        "golden": {
            "file": GOLDEN_NAME,
            **_identity(folder / GOLDEN_NAME),
            "tolerance": {name: TOLERANCES[kind["precision"]] for name, kind in FILES.items()},
        },
        "metrics": {},
        "training_run": {},
    }


def _identity(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def main() -> int:
    """Write the golden bundle."""
    make_tiny_bundle(GOLDEN)
    print(f"wrote {GOLDEN}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
