"""Command: graphs and their comparison to a bundle that the device loads, with its model card.

`python -m export.pack --checkpoint FOLDER --onnx FILE… --comparison FILE.json --device common --output models/common`

The bundle appears whole or not at all, and the same inputs always give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.bundle import COMMON_MODEL, Bundle, load_bundle
from edge.checksums import CHECKSUMS_NAME, MANIFEST_NAME, checksum_lines
from edge.engine.engine import open_engine
from edge.engine.golden import load_golden, prove_engine
from edge.errors import EdgeError
from edge.operating_point import read_operating_points
from edge.profiles import load_profile
from export.errors import ExportError, PackError
from export.expectation import expectation
from export.golden import GOLDEN_NAME, Golden, golden_arrays, golden_bytes, tolerances
from export.manifest import Metrics, PackedFile, build_manifest, manifest_bytes, read_packed_file
from export.model_card import MODEL_CARD_NAME, model_card
from export.staging import staged_folder
from train.checkpoint import WEIGHTS_FILE, load_checkpoint, network_from_checkpoint
from train.errors import TrainError
from train.network import NetworkConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        metrics = read_metrics(
            arguments.comparison,
            arguments.cross_validation,
            arguments.temperature,
            arguments.device,
            arguments.operating_points,
        )
        model_id = pack(arguments.checkpoint, arguments.onnx, metrics, arguments.device, arguments.output)
    except (ExportError, TrainError, EdgeError) as error:
        print(f"pack: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {model_id}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m export.pack", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="the one that the graphs were exported from")
    parser.add_argument(
        "--onnx", type=Path, nargs="+", required=True, metavar="FILE", help="graphs that the device may run"
    )
    parser.add_argument("--comparison", type=Path, required=True, metavar="FILE.json", help="report of export.compare")
    parser.add_argument(
        "--cross-validation", type=Path, metavar="FILE.json", help="report of train.cross_validate, for the model card"
    )
    parser.add_argument(
        "--temperature", type=Path, metavar="FILE.json", help="report of export.temperature (default: not calibrated)"
    )
    parser.add_argument(
        "--operating-points",
        type=Path,
        metavar="FILE.json",
        help="of export.operating_points (default: the likeliest class is the label)",
    )
    parser.add_argument("--device", default="common", help="stethoscope profile, or common (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    return parser


def pack(checkpoint_folder: Path, graphs: Sequence[Path], metrics: Metrics, device: str, output: Path) -> str:
    """Write the bundle and return its model id. Raises PackError, GraphError, CheckpointError."""
    checkpoint = load_checkpoint(checkpoint_folder)
    files = [read_packed_file(path) for path in sorted(graphs, key=lambda path: path.name)]
    _check_checkpoint(files, checkpoint_folder)
    arrays = golden_arrays(network_from_checkpoint(checkpoint), [file.path for file in files], checkpoint.spec)
    golden = Golden(golden_bytes(arrays), tolerances({file.path: file.metadata.precision for file in files}, arrays))
    manifest = build_manifest(files, device, checkpoint.training_run, metrics, golden)
    card = model_card(manifest, describe_network(checkpoint.network))
    with staged_folder(output, marker=MANIFEST_NAME) as folder:
        for file in files:
            (folder / file.name).write_bytes(file.content)
        (folder / GOLDEN_NAME).write_bytes(golden.content)
        (folder / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
        (folder / MODEL_CARD_NAME).write_text(card, encoding="utf-8")
        (folder / CHECKSUMS_NAME).write_text(checksum_lines(folder), encoding="utf-8")
        # The device's own checks, before anything stands under the final name.
        bundle = load_bundle(folder)
        for name in bundle.files:
            _prove(bundle, name)
        return bundle.model_id


def _prove(bundle: Bundle, name: str) -> None:
    alone = replace(bundle, files={name: bundle.files[name]})
    with open_engine(alone, "onnx") as engine:
        prove_engine(engine, load_golden(bundle, name), name)


def read_metrics(
    comparison: Path,
    cross_validation: Path | None,
    temperature: Path | None,
    device: str,
    operating_points: Path | None = None,
) -> Metrics:
    """The reports that the figures of a bundle for `device` come from. Raises PackError, edge's ProfileError."""
    return Metrics(
        _read_report(comparison, "export.compare --report", {"data", "models", "objections"}),
        None if cross_validation is None else _read_expectation(cross_validation, device),
        None if temperature is None else _read_report(temperature, "export.temperature", {"value", "onnx", "own"}),
        None if operating_points is None else _read_points(operating_points),
    )


def _read_points(path: Path) -> dict[str, Any]:
    report = _read_report(path, "export.operating_points", {"default", "points", "chosen_on"})
    try:
        read_operating_points({"operating_points": report}, path)
    except EdgeError as error:
        raise PackError(f"{error}; make it with export.operating_points") from None
    if not isinstance(report["chosen_on"], dict):
        raise PackError(f"{path}: does not say what it was chosen on; make it with export.operating_points")
    return report


def _read_expectation(path: Path, device: str) -> dict[str, Any]:
    report = _read_report(path, "train.cross_validate", {"seeds"})
    token = None if device == COMMON_MODEL else load_profile(device).icbhi_token
    try:
        return expectation(report, token)
    except KeyError as error:
        raise PackError(
            f"{path}: holds no {error}; run train.cross_validate again, with --fine-tune for {device}"
        ) from None


def describe_network(network: NetworkConfig) -> str:
    """A few words for the model card."""
    if network.backbone == "mn04":
        answers = "three yes-or-no answers" if network.answers == "signs" else "four classes"
        return f"MobileNetV3 with 0.4 times the usual number of feature maps and a head of {answers}"
    width = "" if network.width == 1 else f" with {network.width:g} times the usual number of feature maps"
    centred = ", each mel row's mean over the window taken away first" if network.centre_rows else ""
    return f"ResNet-{network.depth}{width} and two 128-unit layers{centred}"


def _check_checkpoint(files: Sequence[PackedFile], folder: Path) -> None:
    digest = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    for file in files:
        if file.metadata.checkpoint_sha256 != digest:
            raise PackError(f"{file.path}: was not exported from {folder}; export it again from this checkpoint")


def _read_report(path: Path, command: str, keys: set[str]) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackError(f"{path}: cannot be read as a report ({error}); make it with {command}") from None
    if not isinstance(report, dict) or not keys <= report.keys():
        raise PackError(f"{path}: is not a report of {command}; make it with that")
    return report


if __name__ == "__main__":
    raise SystemExit(main())
