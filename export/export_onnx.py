"""Command: a checkpoint folder to one FP32 ONNX file that computes the same, checked on every export.

`python -m export.export_onnx --checkpoint FOLDER --images CALIBRATION.npz --output FILE.onnx`

All shapes are static, as TensorRT's builder likes them best: one image at a time, or `--batch` of them for scoring in
bulk. Batch normalisation and the division by the grey levels' standard deviation are folded into the convolutions.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from edge.labels import LABELS
from edge.signal.spec import FeatureSpec
from export.calibration import load_calibration
from export.classifier import ClassifierGraph
from export.errors import CalibrationError, ExportError, GraphError, ParityError
from export.graph import name_nodes_by_layer, strip_annotations, with_batch
from export.inference import onnx_probabilities, open_session, torch_probabilities
from export.onnx_metadata import OnnxMetadata, write_metadata
from export.staging import staged_file
from train.checkpoint import WEIGHTS_FILE, Checkpoint, load_checkpoint, network_from_checkpoint
from train.errors import TrainError
from train.network import RespireNetwork

OPSET = 18
"""The lowest that PyTorch's exporter writes without converting, so that the oldest parsers read it."""
IR_VERSION = 8
"""ONNX 1.13, the first with opset 18; ONNX Runtime >= 1.14 and TensorRT >= 8.6 read it."""
PARITY_TOLERANCE = 1e-4
"""Largest admissible difference of a probability between the checkpoint and its graph."""
PARITY_WINDOWS = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        export_checkpoint(
            arguments.checkpoint, arguments.images, arguments.output, device=arguments.device, batch=arguments.batch
        )
    except (ExportError, TrainError) as error:
        print(f"export_onnx: {error}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m export.export_onnx", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder with weights.pt and checkpoint.json")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument(
        "--device", default="common", help="stethoscope profile the model is for (default: %(default)s)"
    )
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        metavar="FILE.npz",
        help="windows of real recordings to check parity on, from export.calibrate",
    )
    parser.add_argument(
        "--batch",
        type=_batch,
        default=1,
        metavar="N",
        help="images at a time, fixed in the graph (default: %(default)s)",
    )
    return parser


def export_checkpoint(
    folder: Path, images_path: Path, output: Path, *, device: str = "common", batch: int = 1
) -> OnnxMetadata:
    """Write the graph of a checkpoint to `output` and print how closely it agrees.

    `images_path` holds windows of real recordings, on which it is checked. Raises CheckpointError, CalibrationError,
    ParityError (nothing is written then) and ExportError.
    """
    checkpoint = load_checkpoint(folder)
    _check_task(checkpoint, folder)
    images = _parity_images(checkpoint.spec, images_path)
    network = network_from_checkpoint(checkpoint)
    model = with_batch(model_from_network(network, checkpoint.spec), batch)
    difference = parity_difference(network, model, images)
    described = f"{len(images)} windows of training recordings"
    if not difference <= PARITY_TOLERANCE:
        raise ParityError(
            f"{output}: the graph differs from {folder} by {difference:.1e} in probability on {described}, "
            f"more than {PARITY_TOLERANCE:.0e}; nothing was written"
        )
    parity = {"max_probability_difference": difference, "tolerance": PARITY_TOLERANCE, "images": described}
    metadata = _metadata(checkpoint, folder, device, parity)
    write_metadata(model, metadata)
    with staged_file(output) as partial:
        onnx.save(model, partial)
    print(f"{output}: within {difference:.1e} in probability of {folder} on {described}")
    return metadata


def model_from_network(network: RespireNetwork, spec: FeatureSpec) -> onnx.ModelProto:
    """The FP32 graph for any batch size; batch normalisation is folded into the convolutions. Raises GraphError."""
    # Two images: with one, the exporter would take the batch to be always one.
    example = torch.zeros(2, *spec.image_shape, dtype=torch.uint8)
    with warnings.catch_warnings():
        # PyTorch 2.13 warns about its own use of a deprecated class while exporting; no user can act on it.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        program = torch.onnx.export(
            ClassifierGraph(network).eval(),
            (example,),
            input_names=["image"],
            output_names=["probabilities"],
            opset_version=OPSET,
            dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise GraphError("PyTorch's exporter returned nothing; use the PyTorch version that pyproject.toml names")
    model = program.model_proto
    strip_annotations(model)
    name_nodes_by_layer(model)
    model.ir_version = IR_VERSION
    _check_contract(model, spec)
    return model


def parity_difference(network: RespireNetwork, model: onnx.ModelProto, images: NDArray[np.uint8]) -> float:
    """Largest difference of a probability between PyTorch and ONNX Runtime over `images`, uint8 [n, C, H, W]."""
    expected = torch_probabilities(network, images)
    return float(np.abs(onnx_probabilities(open_session(model), images) - expected).max())


def _batch(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value


def _check_task(checkpoint: Checkpoint, folder: Path) -> None:
    if checkpoint.labels != LABELS:
        raise ExportError(
            f"{folder} tells {' from '.join(checkpoint.labels)}; a bundle tells {', '.join(LABELS)}: "
            "give a checkpoint of the four-class task"
        )


def _parity_images(spec: FeatureSpec, path: Path) -> NDArray[np.uint8]:
    calibration = load_calibration(path)
    if calibration.fingerprint != spec.fingerprint():
        raise CalibrationError(
            f"{path}: holds images of features {calibration.fingerprint}, the checkpoint needs {spec.fingerprint()}; "
            "run export.calibrate with this checkpoint"
        )
    # Spread over the file, whose images are in the order of the recordings.
    chosen = np.unique(np.linspace(0, len(calibration.images) - 1, PARITY_WINDOWS).round().astype(int))
    return np.asarray(calibration.images[chosen], dtype=np.uint8)


def _metadata(checkpoint: Checkpoint, folder: Path, device: str, parity: dict[str, Any]) -> OnnxMetadata:
    return OnnxMetadata(
        spec=checkpoint.spec,
        device=device,
        input_mean=checkpoint.mean,
        input_std=checkpoint.std,
        training_run=checkpoint.training_run,
        checkpoint_sha256=hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest(),
        parity=parity,
    )


def _check_contract(model: onnx.ModelProto, spec: FeatureSpec) -> None:
    onnx.checker.check_model(model, full_check=True)
    left = [node.name for node in model.graph.node if node.op_type == "BatchNormalization"]
    if left:
        raise GraphError(f"the exporter left batch normalisation unfolded in {left}; quantisation needs it folded")
    image, probabilities = model.graph.input[0], model.graph.output[0]
    found = (image.name, *_shape(image)[1:]), (probabilities.name, *_shape(probabilities)[1:])
    expected = ("image", *spec.image_shape), ("probabilities", len(LABELS))
    if found != expected or len(model.graph.input) != 1:
        raise GraphError(f"the exporter made a graph {found}, the contract is {expected}")


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


if __name__ == "__main__":
    raise SystemExit(main())
