"""A plan, which is TensorRT's word for a serialised engine, and the JSON beside it that says what it was built from.

```
common-1f0c2a3b4c5d-int8.engine         TensorRT's own format, of no use to another machine or version
common-1f0c2a3b4c5d-int8.engine.json    the key it was built under, its sha256, and how it did on the golden inputs
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from edge.errors import EngineError

SCHEMA = 1
SIDECAR_KEYS = {"schema", "key", "engine", "golden", "made_by"}


@dataclass(frozen=True)
class EngineKey:
    """All that a plan depends on, most telling first: any difference means that it has to be built again."""

    onnx_sha256: str
    precision: str
    shapes: str
    """Of the network's ends, as `trtexec` writes them: `image:1x1x64x219 probabilities:1x4`."""
    gpu: str
    compute_capability: str
    tensorrt: str
    cuda: str
    l4t: str
    builder_options: str


@dataclass(frozen=True)
class GoldenRecord:
    """How the plan did on the bundle's golden inputs, on the machine that built it."""

    images: int
    max_difference: float
    """Of a probability, from the same ONNX file on a processor."""
    tolerance: float
    changed_decisions: int

    @property
    def passed(self) -> bool:
        """Whether the plan agrees. A difference that is no number does not."""
        return self.images > 0 and self.max_difference <= self.tolerance


@dataclass(frozen=True)
class Sidecar:
    """The JSON beside a plan. It holds no date, so that the same build gives the same bytes."""

    key: EngineKey
    sha256: str
    size_bytes: int
    golden: GoldenRecord
    made_by: str
    """The version of this program, such as `respire-edge 0.1.0`."""


@dataclass(frozen=True)
class Plan:
    """A plan that was read whole and is as it was written."""

    path: Path
    content: bytes
    sidecar: Sidecar


def maybe_difference(found: EngineKey, wanted: EngineKey) -> str | None:
    """The first field in which a plan's key is not the wanted one, with both values; None where there is none."""
    for field in fields(EngineKey):
        there, here = getattr(found, field.name), getattr(wanted, field.name)
        if there != here:
            return f"{field.name} is {there!r} in the engine and {here!r} here"
    return None


def sidecar_path(plan: Path) -> Path:
    """Where the JSON of `plan` stands."""
    return plan.with_name(f"{plan.name}.json")


def read_plan(path: Path, remedy: str) -> Plan:
    """The plan at `path`, checked against its sidecar. Raises EngineError, which ends in `remedy`."""
    sidecar = read_sidecar(sidecar_path(path), remedy)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: the engine cannot be read ({error.strerror}); {remedy}") from error
    digest = hashlib.sha256(content).hexdigest()
    if (digest, len(content)) != (sidecar.sha256, sidecar.size_bytes):
        raise EngineError(
            f"{path}: has sha256 {digest} ({len(content)} bytes), its sidecar says {sidecar.sha256} "
            f"({sidecar.size_bytes} bytes): it was cut short or changed; {remedy}"
        )
    return Plan(path, content, sidecar)


def read_sidecar(path: Path, remedy: str) -> Sidecar:
    """The sidecar at `path`. Raises EngineError, which ends in `remedy`, where it is missing or damaged."""
    try:
        sidecar = json.loads(path.read_bytes())
    except OSError as error:
        raise EngineError(f"{path}: the engine's sidecar cannot be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise EngineError(f"{path}: the engine's sidecar is not JSON ({error}); {remedy}") from error
    try:
        return _sidecar(sidecar)
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"{path}: not a sidecar that this version reads ({error}); {remedy}") from error


def sidecar_of(key: EngineKey, content: bytes, golden: GoldenRecord, made_by: str) -> Sidecar:
    """What stands beside a plan of this `content`."""
    return Sidecar(key, hashlib.sha256(content).hexdigest(), len(content), golden, made_by)


def sidecar_bytes(sidecar: Sidecar) -> bytes:
    """The JSON; the same bytes for the same sidecar."""
    content = {
        "schema": SCHEMA,
        "key": asdict(sidecar.key),
        "engine": {"sha256": sidecar.sha256, "bytes": sidecar.size_bytes},
        "golden": asdict(sidecar.golden),
        "made_by": sidecar.made_by,
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def _sidecar(content: Any) -> Sidecar:
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise ValueError(f"schema is {found!r}, not {SCHEMA}")
    _check_names(content, SIDECAR_KEYS)
    _check_names(content["engine"], {"sha256", "bytes"})
    return Sidecar(
        key=EngineKey(**_typed(content["key"], {field.name: (str,) for field in fields(EngineKey)})),
        sha256=_typed(content["engine"], {"sha256": (str,), "bytes": (int,)})["sha256"],
        size_bytes=content["engine"]["bytes"],
        golden=GoldenRecord(**_typed(content["golden"], _GOLDEN_TYPES)),
        made_by=str(content["made_by"]),
    )


_GOLDEN_TYPES = {
    "images": (int,),
    "max_difference": (int, float),
    "tolerance": (int, float),
    "changed_decisions": (int,),
}


def _typed(content: Any, types: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    _check_names(content, set(types))
    for name, kinds in types.items():
        if type(content[name]) not in kinds:
            raise ValueError(f"{name} is {content[name]!r}")
    return dict(content)


def _check_names(content: Any, names: set[str]) -> None:
    if not isinstance(content, dict) or content.keys() != names:
        found = sorted(content) if isinstance(content, dict) else content
        raise ValueError(f"{found} instead of {sorted(names)}")
