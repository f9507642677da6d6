"""What a plan is built from, and what it is called."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.bundle import Bundle, ModelFile
from edge.engine.machine import Machine
from edge.engine.plan import EngineKey
from edge.errors import EngineError

KINDS = {"int8": ("int8", "int8"), "fp16": ("fp16", None)}
"""Precision on the command line -> (precision, activations) of the file for it; fastest first."""
BATCH = 1
"""Images that a plan takes at a time: a bundle's networks have static shapes."""
DIGEST_LENGTH = 12
"""Hex digits of the ONNX file's sha256 in a plan's name."""
INPUT_NAME, OUTPUT_NAME = "image", "probabilities"


@dataclass(frozen=True)
class PlanSource:
    """One network of a bundle in the precision that it is to be run in."""

    bundle: Bundle
    model: ModelFile
    precision: str
    onnx_sha256: str

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of the plan's input: (1, channels, rows, frames)."""
        return (BATCH, *self.bundle.spec.image_shape)

    @property
    def probabilities_shape(self) -> tuple[int, ...]:
        """Of the plan's output."""
        return (BATCH, len(self.bundle.labels))

    @property
    def input_text(self) -> str:
        """The plan's only input: name, TensorRT's name of its type, shape."""
        return f"{INPUT_NAME} UINT8 {_dimensions(self.image_shape)}"

    @property
    def output_text(self) -> str:
        """The plan's only output."""
        return f"{OUTPUT_NAME} FLOAT {_dimensions(self.probabilities_shape)}"

    @property
    def build_command(self) -> str:
        """What makes the plan, for a shell."""
        folder = shlex.quote(str(self.bundle.folder))
        return f"python -m export.build_engine --model {folder} --precision {self.precision}"

    @property
    def remedy(self) -> str:
        """How every message about an unusable plan ends."""
        return f"rebuild it with: {self.build_command}"

    def plan_path(self, folder: Path) -> Path:
        """Where the plan stands in the folder of plans."""
        return folder / f"{self.bundle.device}-{self.onnx_sha256[:DIGEST_LENGTH]}-{self.precision}.engine"

    def key(self, machine: Machine, builder_options: str) -> EngineKey:
        """The key of a plan built on `machine`."""
        image, probabilities = _dimensions(self.image_shape), _dimensions(self.probabilities_shape)
        return EngineKey(
            onnx_sha256=self.onnx_sha256,
            precision=self.precision,
            shapes=f"{INPUT_NAME}:{image} {OUTPUT_NAME}:{probabilities}",
            builder_options=builder_options,
            **asdict(machine),
        )


def plan_source(bundle: Bundle, precision: str) -> PlanSource:
    """The file of `bundle` that a plan in `precision` is built from. Raises EngineError where it holds none."""
    for file in bundle.files.values():
        if (file.precision, file.activations) == KINDS[precision]:
            return PlanSource(bundle, file, precision, _sha256(file.path))
    kind = " with int8 activations" if precision == "int8" else ""
    raise EngineError(
        f"{bundle.folder}: holds no {precision} file{kind} for TensorRT; use another --precision or a newer bundle"
    )


def plan_sources(bundle: Bundle) -> list[PlanSource]:
    """All that plans can be built from, fastest first, at least one. Raises EngineError where the bundle holds none."""
    kinds = {(file.precision, file.activations) for file in bundle.files.values()}
    held = [precision for precision, kind in KINDS.items() if kind in kinds]
    return [plan_source(bundle, precision) for precision in held or list(KINDS)[:1]]


def plan_exists(path: Path) -> bool:
    """Whether a plan stands at `path`; one in a folder that may not be read does not."""
    try:
        return path.is_file()
    except OSError:
        return False


def holds_plans(folder: Path, device: str) -> bool:
    """Whether there is any plan of a model for `device`, be it of another version."""
    try:
        return any(folder.glob(f"{device}-{'?' * DIGEST_LENGTH}-*.engine"))
    except OSError:
        return False


def _dimensions(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror}); restore the bundle") from error
