"""`manifest.json` of a bundle: what each file is, what the model was measured to do, and where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from edge.bundle import NORMALISATION, SCHEMA
from edge.labels import LABELS
from export.errors import PackError
from export.golden import GOLDEN_NAME, Golden
from export.graph import batch_of
from export.onnx_metadata import OnnxMetadata, load_model

UNREPEATABLE = ("latency_ms", "sha256", "bytes", "precision", "activations")
"""Of a comparison's entries: times differ from run to run, the rest the manifest says elsewhere."""


@dataclass(frozen=True)
class PackedFile:
    """One ONNX file that goes into the bundle."""

    path: Path
    content: bytes
    metadata: OnnxMetadata
    opset: int
    batch: int
    """Images at a time; 0 where the graph leaves it open."""

    @property
    def name(self) -> str:
        """Its name in the bundle."""
        return self.path.name

    @property
    def sha256(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Metrics:
    """Reports of what the model does, as JSON objects."""

    comparison: Mapping[str, Any]
    """Of `export.compare`, on this checkpoint and these files."""
    cross_validation: Mapping[str, Any] | None = None
    """`export.expectation` of the recipe: what to expect on patients that nothing was selected on."""
    temperature: Mapping[str, Any] | None = None
    """Of `export.temperature`, on one of these files; None: the probabilities stay as the graphs give them."""
    operating_points: Mapping[str, Any] | None = None
    """Of `export.operating_points`, at this temperature; None: the likeliest class is the label."""


def read_packed_file(path: Path) -> PackedFile:
    """A graph exported by this project, with its bytes. Raises GraphError."""
    model, metadata = load_model(path)
    return PackedFile(path, path.read_bytes(), metadata, _opset(model), batch_of(model))


def build_manifest(
    files: Sequence[PackedFile], device: str, training_run: Mapping[str, Any], metrics: Metrics, golden: Golden
) -> dict[str, Any]:
    """The manifest of a bundle for `device`.

    Raises PackError where the parts do not belong together.
    """
    _check_together(files, device)
    first = files[0].metadata
    return {
        **_temperature_entry(files, metrics.temperature),
        **_operating_points_entry(metrics),
        "schema": SCHEMA,
        "device": device,
        "labels": list(LABELS),
        "feature_spec": first.spec.to_dict(),
        "feature_fingerprint": first.spec.fingerprint(),
        "input": {"mean": list(first.input_mean), "std": list(first.input_std), "where": NORMALISATION},
        "files": {file.name: _file_entry(file) for file in files},
        "golden": {
            "file": GOLDEN_NAME,
            "sha256": hashlib.sha256(golden.content).hexdigest(),
            "bytes": len(golden.content),
            "tolerance": dict(golden.tolerance),
        },
        "metrics": merged_metrics(files, metrics),
        "training_run": dict(training_run),
        "export": {
            "checkpoint_sha256": first.checkpoint_sha256,
            "opset": files[0].opset,
            "parity": dict(first.parity),
            "quantization": {
                file.name: dict(file.metadata.quantization) for file in files if file.metadata.quantization
            },
        },
    }


def merged_metrics(files: Sequence[PackedFile], metrics: Metrics) -> dict[str, Any]:
    """Figures of the checkpoint, of every packed file and of the recipe, with the data they were measured on.

    Raises PackError where the comparison was made with other files or found one that must not be released.
    """
    comparison, measured = metrics.comparison, metrics.comparison["models"]
    for file in files:
        if measured.get(file.name, {}).get("sha256") != file.sha256:
            raise PackError(f"{file.path}: the comparison was not made with this file; run export.compare on it again")
    if comparison["objections"]:
        raise PackError(f"not released: {'; '.join(comparison['objections'])}")
    # Everything that was measured is kept, the float graph and the checkpoint too: they say what quantisation cost.
    kept = {
        name: {key: value for key, value in entry.items() if key not in UNREPEATABLE}
        for name, entry in measured.items()
    }
    merged = {"measured_on": comparison["data"], "models": kept}
    if metrics.cross_validation is None:
        return merged
    return {**merged, "cross_validation": dict(metrics.cross_validation)}


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The one spelling of a manifest, so that equal manifests are equal files."""
    return (json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _file_entry(file: PackedFile) -> dict[str, Any]:
    entry = {"sha256": file.sha256, "bytes": len(file.content), "precision": file.metadata.precision}
    return {**entry, "activations": file.metadata.activations} if file.metadata.activations else entry


def _temperature_entry(files: Sequence[PackedFile], report: Mapping[str, Any] | None) -> dict[str, Any]:
    if report is None:
        return {}
    if report["onnx"]["sha256"] not in {file.sha256 for file in files}:
        name = report["onnx"]["file"]
        raise PackError(f"the temperature was fitted with another {name} than is packed; run export.temperature again")
    return {"temperature": dict(report)}


def _operating_points_entry(metrics: Metrics) -> dict[str, Any]:
    if (report := metrics.operating_points) is None:
        return {}
    packed = 1.0 if metrics.temperature is None else metrics.temperature["value"]
    chosen_at = report["chosen_on"].get("temperature")
    if chosen_at != packed:
        raise PackError(
            f"the operating points were chosen at temperature {chosen_at}, the bundle has {packed}; run "
            "export.operating_points again with the --temperature that is packed"
        )
    return {"operating_points": dict(report)}


def _check_together(files: Sequence[PackedFile], device: str) -> None:
    if len({file.name for file in files}) < len(files):
        raise PackError(f"two files have the same name: {', '.join(sorted(file.name for file in files))}")
    for file in files:
        if file.metadata.device != device:
            raise PackError(
                f"{file.path}: was exported for {file.metadata.device!r}, not {device!r}; "
                f"export it with --device {device}"
            )
        if file.batch != 1:
            raise PackError(
                f"{file.path}: takes {file.batch or 'any number of'} images at a time; a bundle holds batch 1"
            )
        if file.metadata.checkpoint_sha256 != files[0].metadata.checkpoint_sha256:
            raise PackError(f"{file.path} and {files[0].path} come from different checkpoints; export both again")


def _opset(model: onnx.ModelProto) -> int:
    return int(next(entry.version for entry in model.opset_import if entry.domain == ""))
