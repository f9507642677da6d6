"""What an ONNX file says about itself in `metadata_props`, so that it can be used and packed without its checkpoint."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from edge.labels import LABELS
from edge.signal.spec import FeatureSpec
from export.errors import GraphError


@dataclass(frozen=True, kw_only=True)
class OnnxMetadata:
    """The properties of one exported graph; all but `feature_fingerprint` and `device` are stored as JSON text."""

    spec: FeatureSpec
    device: str
    """The stethoscope the model is for, or `common`."""
    input_mean: tuple[float, ...]
    """Grey level per channel that the graph subtracts."""
    input_std: tuple[float, ...]
    training_run: Mapping[str, Any]
    checkpoint_sha256: str
    """Of the `weights.pt` that the graph was exported from."""
    parity: Mapping[str, Any]
    """How far the FP32 graph was from the checkpoint, and on what."""
    precision: str = "fp32"
    activations: str | None = None
    """`uint8` or `int8` in a quantised graph."""
    quantization: Mapping[str, Any] = field(default_factory=dict)
    """Method, calibration data and the layers left in float with the reason; empty in a graph that is not quantised."""


def write_metadata(model: onnx.ModelProto, metadata: OnnxMetadata) -> None:
    """Replace all properties of `model`."""
    properties = {
        "feature_spec": metadata.spec.to_dict(),
        "labels": list(LABELS),
        "input_mean": list(metadata.input_mean),
        "input_std": list(metadata.input_std),
        "training_run": dict(metadata.training_run),
        "checkpoint_sha256": metadata.checkpoint_sha256,
        "parity": dict(metadata.parity),
        "precision": metadata.precision,
        "activations": metadata.activations,
        "quantization": dict(metadata.quantization),
    }
    texts = {key: json.dumps(value, sort_keys=True) for key, value in properties.items()}
    plain = {"device": metadata.device, "feature_fingerprint": metadata.spec.fingerprint()}
    onnx.helper.set_model_props(model, dict(sorted({**texts, **plain}.items())))


def read_metadata(model: onnx.ModelProto, source: Path) -> OnnxMetadata:
    """The properties of a graph written by this project; `source` is for messages.

    Raises GraphError where they are missing, damaged, or made by code with other labels or features.
    """
    texts = {entry.key: entry.value for entry in model.metadata_props}
    try:
        values = {
            key: text if key in ("device", "feature_fingerprint") else json.loads(text) for key, text in texts.items()
        }
        spec = FeatureSpec.from_dict(values["feature_spec"])
        _check(values, spec, source)
        known = {entry.name for entry in dataclasses.fields(OnnxMetadata)} - {"spec", "input_mean", "input_std"}
        return OnnxMetadata(
            spec=spec,
            input_mean=tuple(values["input_mean"]),
            input_std=tuple(values["input_std"]),
            **{key: values[key] for key in known},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise GraphError(
            f"{source}: its metadata is missing or damaged ({error!r}); export it again with export.export_onnx"
        ) from None


def load_model(path: Path) -> tuple[onnx.ModelProto, OnnxMetadata]:
    """A graph exported by this project with its properties. Raises GraphError."""
    try:
        model = onnx.load(path)
    except FileNotFoundError:
        raise GraphError(f"{path}: no such file; export it with export.export_onnx") from None
    except Exception as error:  # protobuf raises a class of its own, which differs between its versions
        raise GraphError(f"{path}: cannot be read as ONNX ({error}); export it again") from error
    return model, read_metadata(model, path)


def _check(values: Mapping[str, Any], spec: FeatureSpec, source: Path) -> None:
    if values["labels"] != list(LABELS):
        raise GraphError(f"{source}: its labels are {values['labels']}, this version has {list(LABELS)}; export again")
    if values["feature_fingerprint"] != spec.fingerprint():
        raise GraphError(
            f"{source}: made for features {values['feature_fingerprint']}, this version computes {spec.fingerprint()}; "
            "train and export again"
        )
