"""Command: a checkpoint and the graphs made from it on the same validation cycles; exit code 1 where they part.

`python -m export.compare --checkpoint FOLDER --onnx FILE… --data icbhi=DIR --data sprsound=DIR --report FILE.json`
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.bundle import load_bundle
from edge.engine.engines_folder import engines_folder
from edge.engine.plan_source import PlanSource, plan_exists, plan_sources
from edge.errors import EdgeError, EngineError
from export.calibrate import training_datasets
from export.comparison import comparison, text_from_comparison, write_comparison
from export.errors import ExportError, GraphError
from export.measure import measure_checkpoint, measure_graph, measure_plan
from export.onnx_metadata import OnnxMetadata, load_model
from export.thresholds import Thresholds, add_thresholds, thresholds_from
from export.validation import validation_images
from train.checkpoint import WEIGHTS_FILE, load_checkpoint
from train.data import folders_from_arguments
from train.errors import TrainError


def main(argv: Sequence[str] | None = None) -> int:
    """0 within the thresholds, 1 beyond them, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        report = compare(
            arguments.checkpoint,
            arguments.onnx,
            arguments.data,
            thresholds_from(arguments),
            arguments.repeats,
            _plans(arguments.tensorrt),
        )
        print(text_from_comparison(report))
        if arguments.report:
            write_comparison(arguments.report, report)
    except (ExportError, TrainError, EdgeError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    return 0 if not report["objections"] else 1


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m export.compare", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="the reference, in PyTorch float32")
    parser.add_argument("--onnx", type=Path, nargs="+", required=True, metavar="FILE", help="graphs made from it")
    parser.add_argument(
        "--tensorrt",
        type=Path,
        metavar="BUNDLE",
        help="also the engines that export.build_engine built from this bundle on this machine",
    )
    parser.add_argument("--data", action="append", required=True, metavar="[NAME=]DIR", help="icbhi=DIR, sprsound=DIR")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures here, for export.pack")
    add_thresholds(parser)
    parser.add_argument("--repeats", type=int, default=100, help="timed calls per graph (default: %(default)s)")
    return parser


def compare(
    checkpoint_folder: Path,
    graphs: Sequence[Path],
    data: Sequence[str],
    thresholds: Thresholds,
    repeats: int,
    plans: Sequence[PlanSource] = (),
) -> dict[str, Any]:
    """The report; `plans` are TensorRT engines to measure, too, where they were built on this machine.

    Raises CheckpointError, GraphError, DatasetError, SplitError, edge's EngineError.
    """
    checkpoint = load_checkpoint(checkpoint_folder)
    digest = hashlib.sha256((checkpoint_folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    opened = {path: _metadata(path, digest, checkpoint_folder) for path in graphs}
    folders = folders_from_arguments(data, training_datasets(checkpoint.training_run))
    held = validation_images(checkpoint.training_run, checkpoint.spec, folders)
    reference = measure_checkpoint(checkpoint, checkpoint_folder, digest, held.images, repeats)
    others = [measure_graph(path, metadata, held.images, repeats) for path, metadata in opened.items()]
    others += [measure_plan(source, engines_folder(), held.images, repeats) for source in plans]
    return comparison(reference, others, held, thresholds)


def _plans(bundle_folder: Path | None) -> list[PlanSource]:
    """What engines were built from, of those that a bundle's files allow. Raises BundleError, EngineError."""
    if bundle_folder is None:
        return []
    sources = plan_sources(load_bundle(bundle_folder))
    built = [source for source in sources if plan_exists(source.plan_path(engines_folder()))]
    if not built:
        raise EngineError(
            f"{bundle_folder}: no engine was built from it here; build one with: {sources[0].build_command}"
        )
    return built


def _metadata(path: Path, checkpoint_sha256: str, folder: Path) -> OnnxMetadata:
    _, metadata = load_model(path)
    if metadata.checkpoint_sha256 != checkpoint_sha256:
        raise GraphError(
            f"{path}: was exported from weights {metadata.checkpoint_sha256[:12]}…, {folder} holds "
            f"{checkpoint_sha256[:12]}…; export it again from this checkpoint"
        )
    return metadata


if __name__ == "__main__":
    raise SystemExit(main())
