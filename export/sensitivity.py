"""Command: which layers change the probabilities most when they are quantised, measured on calibration images.

`python -m export.sensitivity --model FILE.onnx --calibration FILE.npz`

For each INT8 variant: the difference from the FP32 graph with every layer but stem and head quantised, and with one
layer more left in float. A layer whose absence from the integers takes away much of the difference is worth its time in
`export.quantize --float-layers`. Nothing is selected on validation patients here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from export.bias_correction import correct_bias
from export.calibration import load_calibration
from export.errors import ExportError
from export.graph import excitation_layers, first_convolution, head_layers, layer_names
from export.inference import onnx_probabilities, open_session
from export.onnx_metadata import load_model
from export.ranges import RangeRule, measure_ranges
from export.variant import VARIANTS, Variant, float_layers, quantized_model

IMAGES = 128
EVERY = "stem and head alone"
UNCORRECTED = "the same, bias uncorrected"
"""Without `export.bias_correction`, which every other row has."""


@dataclass(frozen=True)
class Sensitivity:
    """How far one way of quantising is from the FP32 graph."""

    variant: str
    left_in_float: str
    """A layer beside stem and head, or `EVERY` where there is none."""
    mean_difference: float
    """Of a probability."""
    max_difference: float


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        model, _ = load_model(arguments.model)
        images = load_calibration(arguments.calibration).images
        for variant in VARIANTS:
            print(text_from_rows(list(sensitivities(model, images, variant, arguments.layers))))
    except ExportError as error:
        print(f"sensitivity: {error}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m export.sensitivity", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="FP32 graph from export.export_onnx")
    parser.add_argument("--calibration", type=Path, required=True, metavar="FILE.npz", help="from export.calibrate")
    parser.add_argument("--layers", nargs="*", metavar="LAYER", help="only these, such as layer1.0.conv1; default: all")
    return parser


def sensitivities(
    model: onnx.ModelProto, images: NDArray[np.uint8], variant: Variant, layers: Sequence[str] | None = None
) -> Iterator[Sensitivity]:
    """First the two with every layer quantised, then one for each of `layers`, by default all. Raises GraphError.

    `images` is uint8 [n, C, H, W].
    """
    ranges = measure_ranges(model, images, RangeRule())
    shown = images[:: max(1, len(images) // IMAGES)]
    expected = onnx_probabilities(open_session(model), shown)
    kept = [first_convolution(model), *excitation_layers(model), *head_layers(model)]
    further = layers or [layer for layer in layer_names(model) if layer not in kept]
    float_layers(variant, model, further)  # refuses a layer that is not there before anything is computed
    for layer in tqdm([EVERY, UNCORRECTED, *further], desc=variant.file_name, unit="layer", disable=None):
        left = kept if layer in (EVERY, UNCORRECTED) else [*kept, layer]
        quantized = quantized_model(model, ranges, variant, left)
        if layer != UNCORRECTED:
            correct_bias(quantized, model, images)
        difference = np.abs(onnx_probabilities(open_session(quantized), shown) - expected)
        yield Sensitivity(variant.file_name, layer, float(difference.mean()), float(difference.max()))


def text_from_rows(rows: Sequence[Sensitivity]) -> str:
    """For a terminal: the whole first, then the layers by how much they take away."""
    whole, uncorrected, *layers = rows
    ordered = [whole, uncorrected, *sorted(layers, key=lambda row: row.mean_difference)]
    lines = [f"{'left in float':28}{'mean diff':>12}{'max diff':>12}"]
    lines += [f"{row.left_in_float:28}{row.mean_difference:12.5f}{row.max_difference:12.5f}" for row in ordered]
    return "\n".join([whole.variant, *lines, ""])


if __name__ == "__main__":
    raise SystemExit(main())
