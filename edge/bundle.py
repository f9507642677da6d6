"""A model bundle: a folder with `manifest.json` and the ONNX files that it lists by sha256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.checksums import MANIFEST_NAME, check_checksums, check_content
from edge.errors import BundleError
from edge.labels import LABELS
from edge.operating_point import NO_OPERATING_POINTS, OperatingPoints, read_operating_points
from edge.profiles import Profile
from edge.signal.spec import FeatureSpec

SCHEMA = 1
NORMALISATION = "inside the graph"
"""Where mean and standard deviation are applied; the device feeds the uint8 image as it is."""
COMMON_MODEL = "common"
"""The bundle for every stethoscope that has none of its own."""
MODELS_VARIABLE = "RESPIRE_EDGE_MODELS"
"""Environment variable that names a folder of bundles."""

MANIFEST_KEYS = {
    "schema", "device", "labels", "feature_spec", "feature_fingerprint", "input", "files", "metrics", "training_run",
}  # fmt: skip
OPTIONAL_MANIFEST_KEYS = frozenset({"export", "golden", "temperature", "operating_points"})
"""`export` says how the files were made; the device needs none of it. `golden` lists the golden inputs. `temperature`
says under `value` what the probabilities are calibrated with, and beside it on whom that was fitted.
`operating_points` holds thresholds on the calibrated probabilities (`edge.operating_point`)."""
GOLDEN_KEYS = {"file", "sha256", "bytes", "tolerance"}
TEMPERATURES = (0.1, 10.0)
"""The least and the largest that may be applied; whoever needs one beyond has no probabilities to calibrate."""
FILE_KEYS = {"sha256", "bytes", "precision", "activations"}
OPTIONAL_FILE_KEYS = frozenset({"activations"})
PRECISIONS = ("fp32", "fp16", "int8")
ACTIVATIONS = {"int8": ("uint8", "int8")}
"""Quantised files name what their activations are stored as; the others leave it out."""


@dataclass(frozen=True)
class ModelFile:
    """One ONNX file of a bundle, as its manifest lists it."""

    path: Path
    precision: str
    activations: str | None


@dataclass(frozen=True)
class GoldenFile:
    """Inputs with the probabilities that the bundle's networks gave for them (`edge.engine.golden`)."""

    path: Path
    tolerance: Mapping[str, float]
    """ONNX file -> largest admissible difference of a probability from that file's own."""


@dataclass(frozen=True)
class Bundle:
    """A verified model: every file has its sha256, and its features are the ones this code computes."""

    folder: Path
    model_id: str
    """`<device>@<first 4 hex digits of the manifest's sha256>`: stands in every result."""
    device: str
    labels: tuple[str, ...]
    spec: FeatureSpec
    files: Mapping[str, ModelFile]
    metrics: Mapping[str, Any]
    golden: GoldenFile | None = None
    temperature: float = 1.0
    """What `edge.decision.calibrate` takes; engines and golden inputs know nothing of it."""
    operating_points: OperatingPoints = NO_OPERATING_POINTS


def find_bundle(profile: Profile, model_dir: Path | None, environ: Mapping[str, str]) -> Path:
    """The folder of the bundle for `profile`: its own where there is one, else the common one.

    `model_dir` is a bundle or a folder of bundles. Without it, bundles are looked for in the folder
    `environ[MODELS_VARIABLE]`, in the installed package and in the repository. Raises BundleError naming every folder
    that was looked into.
    """
    if model_dir is not None and (model_dir / MANIFEST_NAME).is_file():
        return model_dir
    roots = [model_dir] if model_dir is not None else list(_model_roots(environ))
    for root in roots:
        for name in (profile.model, COMMON_MODEL):
            if (root / name / MANIFEST_NAME).is_file():
                return root / name
    looked = ", ".join(str(root) for root in roots)
    raise BundleError(f"no model for {profile.name} in {looked}; give --model a folder that holds a {MANIFEST_NAME}")


def list_bundles(model_dir: Path | None, environ: Mapping[str, str]) -> list[Path]:
    """The folders of all bundles that `find_bundle` may choose among, by name.

    Raises BundleError naming every folder that was looked into where there is none.
    """
    if model_dir is not None and (model_dir / MANIFEST_NAME).is_file():
        return [model_dir]
    roots = [model_dir] if model_dir is not None else list(_model_roots(environ))
    found: dict[str, Path] = {}
    for root in roots:
        for path in root.glob(f"*/{MANIFEST_NAME}"):
            found.setdefault(path.parent.name, path.parent)
        if COMMON_MODEL in found:
            break
    if not found:
        looked = ", ".join(str(root) for root in roots)
        raise BundleError(f"no model in {looked}; give --model a folder that holds a {MANIFEST_NAME}")
    return [found[name] for name in sorted(found)]


def load_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`, verified. Raises BundleError where a part is missing, changed or for other features."""
    path = folder / MANIFEST_NAME
    content = _read_manifest(path)
    manifest = _parse_manifest(content, path)
    _check_constants(manifest, path)
    bundle = Bundle(
        folder=folder,
        model_id=f"{manifest['device']}@{hashlib.sha256(content).hexdigest()[:4]}",
        device=manifest["device"],
        labels=tuple(manifest["labels"]),
        spec=_read_spec(manifest, path),
        files=_read_files(manifest, path),
        metrics=manifest["metrics"],
        golden=_read_golden(manifest, path),
        temperature=_read_temperature(manifest, path),
        operating_points=read_operating_points(manifest, path),
    )
    # Last, because the checks before it say more about what is wrong.
    golden = [bundle.golden.path.name] if bundle.golden else []
    check_checksums(folder, {MANIFEST_NAME, *bundle.files, *golden})
    return bundle


def maybe_other_model_note(devices: Sequence[str], bundle: Bundle) -> str | None:
    """One line for people when `bundle` was not made for all of `devices`; None when it was."""
    others = [device for device in devices if device != bundle.device]
    if not others:
        return None
    return f"respire-edge: no model of its own for {', '.join(others)}; using {bundle.model_id}"


def _model_roots(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get(MODELS_VARIABLE):
        yield Path(environ[MODELS_VARIABLE])
    package = Path(__file__).resolve().parent
    yield package / "models"
    yield package.parent / "models"


def _read_manifest(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot read the bundle's manifest ({error.strerror}); is this a bundle?") from error


def _parse_manifest(content: bytes, path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise BundleError(f"{path}: not JSON ({error}); pack the bundle again") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found = manifest.get("schema") if isinstance(manifest, dict) else None
        raise BundleError(
            f"{path}: schema is {found!r}, this version reads {SCHEMA}; take a bundle made for this version"
        )
    _check_keys(manifest, MANIFEST_KEYS | OPTIONAL_MANIFEST_KEYS, str(path), OPTIONAL_MANIFEST_KEYS)
    return manifest


def _check_keys(fields: Mapping[str, Any], known: set[str], where: str, optional: frozenset[str]) -> None:
    missing, unknown = sorted(known - optional - fields.keys()), sorted(fields.keys() - known)
    if missing or unknown:
        raise BundleError(f"{where}: missing keys {missing}, unknown keys {unknown}; pack the bundle again")


def _check_constants(manifest: Mapping[str, Any], path: Path) -> None:
    if manifest["labels"] != list(LABELS):
        raise BundleError(f"{path}: labels are {manifest['labels']}, this version needs {list(LABELS)} in that order")
    where = manifest["input"].get("where") if isinstance(manifest["input"], dict) else None
    if where != NORMALISATION:
        raise BundleError(
            f"{path}: the input is normalised {where!r}, this version needs {NORMALISATION!r}; export again"
        )
    if not isinstance(manifest["device"], str) or not isinstance(manifest["metrics"], dict):
        raise BundleError(f"{path}: 'device' must be a name and 'metrics' an object; pack the bundle again")


def _read_spec(manifest: Mapping[str, Any], path: Path) -> FeatureSpec:
    try:
        spec = FeatureSpec.from_dict(manifest["feature_spec"])
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path}: 'feature_spec' is not one this version computes: {error}") from error
    if manifest["feature_fingerprint"] != spec.fingerprint():
        raise BundleError(
            f"{path}: the model was made for features {manifest['feature_fingerprint']}, this version computes "
            f"{spec.fingerprint()}; take a bundle made for this version or train again"
        )
    return spec


def _read_files(manifest: Mapping[str, Any], path: Path) -> dict[str, ModelFile]:
    listed = manifest["files"]
    if not isinstance(listed, dict) or not listed:
        raise BundleError(f"{path}: 'files' lists no model; pack the bundle again")
    return {name: _read_file(name, entry, path) for name, entry in listed.items()}


def _read_file(name: str, entry: Any, manifest_path: Path) -> ModelFile:
    where = f"{manifest_path}: file {name!r}"
    _plain_name(name, where)
    if not isinstance(entry, dict):
        raise BundleError(f"{where} has no description; pack the bundle again")
    _check_keys(entry, FILE_KEYS, where, OPTIONAL_FILE_KEYS)
    precision, activations = entry["precision"], entry.get("activations")
    if precision not in PRECISIONS or activations not in ACTIVATIONS.get(precision, (None,)):
        raise BundleError(
            f"{where} has precision {precision!r} with activations {activations!r}, which no engine knows"
        )
    path = manifest_path.parent / name
    check_content(path, entry)
    return ModelFile(path, precision, activations)


def _read_golden(manifest: Mapping[str, Any], path: Path) -> GoldenFile | None:
    entry = manifest.get("golden")
    if entry is None:
        return None
    where = f"{path}: 'golden'"
    if not isinstance(entry, dict):
        raise BundleError(f"{where} has no description; pack the bundle again")
    _check_keys(entry, GOLDEN_KEYS, where, frozenset())
    tolerance = entry["tolerance"]
    numbers = tolerance.values() if isinstance(tolerance, dict) else [None]
    if not all(isinstance(value, float) and 0 < value < 1 for value in numbers):
        raise BundleError(f"{where} must give each file's tolerance as a number from 0 to 1; pack the bundle again")
    file = path.parent / _plain_name(entry["file"], where)
    check_content(file, entry)
    return GoldenFile(file, tolerance)


def _read_temperature(manifest: Mapping[str, Any], path: Path) -> float:
    if "temperature" not in manifest:
        return 1.0
    entry, (least, most) = manifest["temperature"], TEMPERATURES
    value: Any = entry.get("value") if isinstance(entry, dict) else None
    if type(value) not in (int, float) or not least <= value <= most:
        raise BundleError(
            f"{path}: 'temperature' must have a 'value' from {least:g} to {most:g}, not {value!r}; fit and pack again"
        )
    return float(value)


def _plain_name(name: Any, where: str) -> str:
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or "\\" in name:
        raise BundleError(f"{where} is not a plain file name; a bundle holds all its files itself")
    return name
