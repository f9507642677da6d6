"""Command: an FP32 graph and calibration images to static INT8 graphs with explicit Q/DQ nodes, one per kind of engine.

`python -m export.quantize --model FILE.onnx --calibration FILE.npz --output FOLDER`

`int8-u8.onnx`, for ONNX Runtime: uint8 asymmetric activations, so that ReLU costs nothing and every convolution,
addition and pooling runs in integers. `int8-s8.onnx`, for TensorRT: int8 activations with zero-point 0, placed as
NVIDIA's Model Optimizer places them. Both have int8 weights with a scale per output channel. Normalisation, mean over
the image, head and softmax stay in float.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

from export.calibration import Calibration, check_sufficient, load_calibration
from export.errors import CalibrationError, ExportError, GraphError
from export.graph import FIRST_CONVOLUTION, head_layers, layer_names
from export.onnx_metadata import OnnxMetadata, load_model, write_metadata
from export.ranges import METHODS, RangeRule, measure_ranges
from export.rounding import keep_filter_sums
from export.staging import staged_file


@dataclass(frozen=True)
class Variant:
    """One way of quantising, for one kind of engine."""

    file_name: str
    activations: str
    activation_type: QuantType
    op_types: tuple[str, ...]
    float_layers: Mapping[str, str]
    """Layer to the reason why it stays in float; `head` stands for all fully connected layers."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """For ONNX Runtime's quantiser."""


HEAD = "head"
U8 = Variant(
    file_name="int8-u8.onnx",
    activations="uint8",
    activation_type=QuantType.QUInt8,
    op_types=("Conv", "Relu", "Add", "MaxPool"),
    float_layers={HEAD: "under 1 % of the arithmetic; its outputs decide between classes"},
    options={"ActivationSymmetric": False, "WeightSymmetric": True},
)
S8 = Variant(
    file_name="int8-s8.onnx",
    activations="int8",
    activation_type=QuantType.QInt8,
    op_types=("Conv",),
    float_layers={
        FIRST_CONVOLUTION: "TensorRT's builder has no INT8 kernel for a stem of few channels with ReLU and pooling",
        HEAD: U8.float_layers[HEAD],
    },
    # As NVIDIA's Model Optimizer places Q/DQ: before convolutions, whose outputs reach ReLU and addition in full
    # precision. TensorRT's parser refuses the int32 DequantizeLinear of a quantised bias.
    options={
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": ["Conv"],
    },
)
VARIANTS = (U8, S8)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        rule = RangeRule(arguments.method, arguments.percentile)
        quantize(arguments.model, arguments.calibration, arguments.output, rule, arguments.float_layers)
    except (ExportError, ValueError) as error:
        print(f"quantize: {error}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    default = RangeRule()
    parser = argparse.ArgumentParser(prog="python -m export.quantize", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="FP32 graph from export.export_onnx")
    parser.add_argument("--calibration", type=Path, required=True, metavar="FILE.npz", help="from export.calibrate")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--method", choices=METHODS, default=default.method, help="of setting ranges (default: %(default)s)"
    )
    parser.add_argument("--percentile", type=float, default=default.percentile, help="default: %(default)s")
    parser.add_argument(
        "--float-layers",
        nargs="*",
        default=[],
        metavar="LAYER",
        help="further layers to leave in float, such as layer1.0.conv1",
    )
    return parser


def quantize(
    model_path: Path, calibration_path: Path, output: Path, rule: RangeRule, float_layers: Sequence[str] = ()
) -> list[Path]:
    """Write every variant into `output` and return their paths. Raises CalibrationError, GraphError, ExportError."""
    model, metadata = load_model(model_path)
    calibration = load_calibration(calibration_path)
    _check(calibration, calibration_path, metadata)
    ranges = measure_ranges(model, calibration.images, rule)
    digest = hashlib.sha256(calibration_path.read_bytes()).hexdigest()
    written = []
    for variant in VARIANTS:
        chosen = {
            **_resolved(variant.float_layers, model),
            **dict.fromkeys(float_layers, "asked for on the command line"),
        }
        quantized = quantized_model(model_path, ranges, variant, list(chosen))
        facts = {
            **rule.to_dict(),
            "float_layers": chosen,
            "filter_sums_kept": [] if FIRST_CONVOLUTION in chosen else [FIRST_CONVOLUTION],
            "calibration": {**calibration.provenance, **_extent(calibration), "sha256": digest},
        }
        write_metadata(
            quantized, replace(metadata, precision="int8", activations=variant.activations, quantization=facts)
        )
        path = output / variant.file_name
        with staged_file(path) as partial:
            onnx.save(quantized, partial)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {rule.method} ranges of {len(calibration.images)} images")
        written.append(path)
    return written


def quantized_model(
    model_path: Path, ranges: TensorsData, variant: Variant, float_layers: Sequence[str]
) -> onnx.ModelProto:
    """The Q/DQ graph of one variant. Raises GraphError for a layer that the graph does not have."""
    model = load_model_with_shape_infer(model_path)
    unknown = sorted(set(float_layers) - set(layer_names(model)))
    if unknown:
        raise GraphError(
            f"{model_path}: has no layer {', '.join(unknown)}; its layers are {', '.join(layer_names(model))}"
        )
    if FIRST_CONVOLUTION not in float_layers:
        keep_filter_sums(model)
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=variant.activation_type,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=list(float_layers),
        op_types_to_quantize=list(variant.op_types),
        extra_options=dict(variant.options),
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantized: onnx.ModelProto = quantizer.model.model
    onnx.checker.check_model(quantized, full_check=True)
    return quantized


def _resolved(float_layers: Mapping[str, str], model: onnx.ModelProto) -> dict[str, str]:
    resolved: dict[str, str] = {}
    for layer, reason in float_layers.items():
        resolved |= dict.fromkeys(head_layers(model) if layer == HEAD else [layer], reason)
    return resolved


def _check(calibration: Calibration, path: Path, metadata: OnnxMetadata) -> None:
    check_sufficient(calibration.recordings, path)
    if metadata.precision != "fp32":
        raise GraphError(f"the model is already {metadata.precision}; quantise the FP32 graph from export.export_onnx")
    if calibration.fingerprint != metadata.spec.fingerprint():
        raise CalibrationError(
            f"{path}: holds images of features {calibration.fingerprint}, the model takes "
            f"{metadata.spec.fingerprint()}; run export.calibrate with the model's checkpoint"
        )


def _extent(calibration: Calibration) -> dict[str, int]:
    return {"images": len(calibration.images), "recordings": len(set(calibration.recordings))}


if __name__ == "__main__":
    raise SystemExit(main())
