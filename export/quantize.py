"""Command: an FP32 graph to the graphs of lower precision that a bundle holds, each only if it decides alike.

`python -m export.quantize --model FILE.onnx --calibration FILE.npz --data icbhi=DIR --data sprsound=DIR --output DIR`

`int8-u8.onnx`, for ONNX Runtime: static INT8 with uint8 asymmetric activations, so that ReLU costs nothing and every
convolution and addition after the stem runs in integers. `int8-s8.onnx`, for TensorRT: int8 activations with
zero-point 0, placed as NVIDIA's Model Optimizer places them. Both have int8 weights with a scale per output channel,
and ranges from one calibration. `fp16.onnx`, for TensorRT: float16 by casts. The mean over the image, head and softmax
stay in float, of INT8 also the stem and a MobileNetV3's squeeze-and-excitation. Each is compared with the FP32 graph on
the patients that the training run held back.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from export.bias_correction import correct_bias
from export.calibrate import training_datasets
from export.calibration import Calibration, check_sufficient, load_calibration
from export.comparison import comparison, text_from_comparison
from export.errors import CalibrationError, ExportError, GraphError
from export.graph import batch_of
from export.half import FLOAT32_PARTS, half_precision
from export.measure import measure_graph
from export.onnx_metadata import OnnxMetadata, load_model, write_metadata
from export.ranges import METHODS, RangeRule, measure_ranges
from export.staging import scratch_folder, staged_file
from export.tensorrt_support import check_tensorrt_support
from export.thresholds import Thresholds, add_thresholds, thresholds_from
from export.validation import Validation, validation_images
from export.variant import VARIANTS, float_layers, quantized_model
from train.data import folders_from_arguments
from train.errors import TrainError

HALF = "fp16.onnx"
FILES = (HALF, *(variant.file_name for variant in VARIANTS))
TIMED_CALLS = 50


def main(argv: Sequence[str] | None = None) -> int:
    """0 every graph written, 1 one was refused, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        rule = RangeRule(arguments.method, arguments.percentile)
        _, metadata = model_and_metadata = _fp32_model(arguments.model)
        calibration = _calibration(arguments.calibration, metadata)
        folders = folders_from_arguments(arguments.data, training_datasets(metadata.training_run))
        held = validation_images(metadata.training_run, metadata.spec, folders)
        graphs = lower_precision(*model_and_metadata, calibration, rule, arguments.float_layers, arguments.only)
        return release(arguments.model, graphs, held, thresholds_from(arguments), arguments.output)
    except (ExportError, TrainError, ValueError) as error:
        print(f"quantize: {error}", file=sys.stderr)
        return 2


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    default = RangeRule()
    parser = argparse.ArgumentParser(prog="python -m export.quantize", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="FP32 graph from export.export_onnx")
    parser.add_argument("--calibration", type=Path, required=True, metavar="FILE.npz", help="from export.calibrate")
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="[NAME=]DIR",
        help="icbhi=DIR, sprsound=DIR: the graphs are judged on the patients there that the run held back",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    add_thresholds(parser)
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
    parser.add_argument(
        "--only",
        nargs="+",
        choices=FILES,
        default=list(FILES),
        metavar="FILE",
        help=f"of {', '.join(FILES)}; default: all. A MobileNetV3 gains nothing from INT8 (docs/export.md)",
    )
    return parser


def lower_precision(
    model: onnx.ModelProto,
    metadata: OnnxMetadata,
    calibration: Calibration,
    rule: RangeRule,
    further: Sequence[str] = (),
    only: Sequence[str] = FILES,
) -> dict[str, onnx.ModelProto]:
    """The graphs of lower precision made from an FP32 one, by file name, of those that `only` names.

    Layers named in `further` stay in float. Raises GraphError.
    """
    graphs = {HALF: _half(model, metadata)} if HALF in only else {}
    variants = [variant for variant in VARIANTS if variant.file_name in only]
    if variants:
        ranges = measure_ranges(model, calibration.images, rule)
    for variant in variants:
        kept = float_layers(variant, model, further)
        quantized = quantized_model(model, ranges, variant, list(kept))
        if variant.for_tensorrt:
            check_tensorrt_support(quantized, variant.file_name)
        facts = {
            **rule.to_dict(),
            "float_layers": kept,
            "bias_corrected": correct_bias(quantized, model, calibration.images),
            "calibration": _facts(calibration),
        }
        write_metadata(
            quantized, replace(metadata, precision="int8", activations=variant.activations, quantization=facts)
        )
        graphs[variant.file_name] = quantized
    return graphs


def release(
    fp32: Path, graphs: dict[str, onnx.ModelProto], held: Validation, thresholds: Thresholds, output: Path
) -> int:
    """Compare `graphs` by file name with the FP32 graph, print the table, and write those that may be released.

    Returns the exit code: 1 where one was refused, which then is not written. Raises ExportError.
    """
    with scratch_folder() as folder:
        measured = [measure_graph(fp32, load_model(fp32)[1], held.images, TIMED_CALLS)]
        for name, model in graphs.items():
            path = folder / name
            onnx.save(model, path)
            measured.append(measure_graph(path, load_model(path)[1], held.images, TIMED_CALLS))
    report = comparison(measured[0], measured[1:], held, thresholds)
    print(text_from_comparison(report))
    refused = [name for name in graphs if any(text.startswith(f"{name}:") for text in report["objections"])]
    for name, model in graphs.items():
        if name in refused:
            print(f"{output / name}: not written, it decides too differently from {fp32}")
            continue
        with staged_file(output / name) as partial:
            onnx.save(model, partial)
        print(f"{output / name}: written")
    return 1 if refused else 0


def _half(model: onnx.ModelProto, metadata: OnnxMetadata) -> onnx.ModelProto:
    half = half_precision(model)
    check_tensorrt_support(half, HALF)
    write_metadata(half, replace(metadata, precision="fp16", quantization={"float_layers": FLOAT32_PARTS}))
    return half


def _fp32_model(path: Path) -> tuple[onnx.ModelProto, OnnxMetadata]:
    model, metadata = load_model(path)
    if metadata.precision != "fp32":
        raise GraphError(f"{path}: is already {metadata.precision}; quantise the FP32 graph from export.export_onnx")
    if batch_of(model) != 1:
        raise GraphError(f"{path}: takes {batch_of(model)} images at a time; quantise the graph exported for 1")
    return model, metadata


def _calibration(path: Path, metadata: OnnxMetadata) -> Calibration:
    calibration = load_calibration(path)
    check_sufficient(calibration.recordings, path)
    if calibration.fingerprint != metadata.spec.fingerprint():
        raise CalibrationError(
            f"{path}: holds images of features {calibration.fingerprint}, the model takes "
            f"{metadata.spec.fingerprint()}; run export.calibrate with the model's checkpoint"
        )
    return calibration


def _facts(calibration: Calibration) -> dict[str, Any]:
    return {
        **calibration.provenance,
        "images": len(calibration.images),
        "recordings": len(set(calibration.recordings)),
        "sha256": hashlib.sha256(calibration.images.tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    raise SystemExit(main())
