"""Keeping a built plan: under its final name only once it has given the bundle's golden probabilities."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edge.engine.golden import GoldenCases, GoldenOutcome, prove_engine
from edge.engine.plan import (
    EngineKey,
    GoldenRecord,
    maybe_difference,
    read_plan,
    sidecar_bytes,
    sidecar_of,
    sidecar_path,
)
from edge.engine.plan_source import PlanSource
from edge.engine.tensorrt import TensorRTEngine
from edge.errors import EngineError
from export.errors import ExportError
from export.latency import latency_ms
from export.staging import staged_files

TIMED_RUNS = 100


@dataclass(frozen=True)
class ProvenPlan:
    """A plan that has proven itself, and what the person who waited for it wants to know."""

    path: Path
    size_bytes: int
    outcome: GoldenOutcome
    latency_ms: dict[str, float]


def make_folder(folder: Path) -> None:
    """Make the folder of plans, before minutes are spent on one. Raises ExportError where it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{folder}: cannot be made ({error.strerror}); choose another with --output") from error
    if not os.access(folder, os.W_OK):
        raise ExportError(f"{folder}: cannot be written to; choose another with --output")


def is_up_to_date(source: PlanSource, folder: Path, key: EngineKey) -> bool:
    """Whether `folder` holds a whole and proven plan with this very key."""
    with suppress(EngineError):
        found = read_plan(source.plan_path(folder), source.remedy).sidecar
        return found.golden.passed and maybe_difference(found.key, key) is None
    return False


def store_proven(content: bytes, source: PlanSource, key: EngineKey, cases: GoldenCases, folder: Path) -> ProvenPlan:
    """Prove the plan and put it into `folder`; until it is proven, an earlier one stays as it is.

    Raises EngineError where it disagrees, ExportError where it cannot be written.
    """
    path = source.plan_path(folder)
    with staged_files(path, sidecar_path(path)) as (partial, partial_sidecar):
        partial.write_bytes(content)
        # From the disk: what is proven is what will be read.
        with TensorRTEngine(path, partial.read_bytes(), source, key.tensorrt) as engine:
            outcome = prove_engine(engine, cases, str(path))
            image = cases.images[:1]
            latency = latency_ms(lambda: engine.infer(image), TIMED_RUNS)
        golden = GoldenRecord(outcome.images, outcome.max_difference, outcome.tolerance, outcome.changed_decisions)
        partial_sidecar.write_bytes(sidecar_bytes(sidecar_of(key, content, golden, _program())))
    return ProvenPlan(path, len(content), outcome, latency)


def _program() -> str:
    try:
        return f"respire-edge {metadata.version('respire-edge')}"
    except metadata.PackageNotFoundError:
        return "respire-edge, not installed"
