"""TensorRT's timing cache: what the builder measured of kernels on this machine, so that later builds measure less."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edge.engine.machine import Machine
from export.errors import ExportError
from export.staging import staged_file

if TYPE_CHECKING:
    import tensorrt as trt


def timing_cache_path(folder: Path, machine: Machine) -> Path:
    """A file for this kind of machine alone: timings of another one mislead the builder."""
    digest = hashlib.sha256(json.dumps(asdict(machine)).encode()).hexdigest()
    return folder / f"timing-{digest[:12]}.cache"


def load_timing_cache(config: trt.IBuilderConfig, path: Path, tell: Callable[[str], None]) -> None:
    """Give `config` the cache at `path`, or an empty one; `tell` is told why what is there could not be used."""
    content = _read(path, tell)
    if content and not _attach(config, content):
        tell(f"{path}: not a timing cache for this TensorRT and GPU; starting a new one")
        content = b""
    if not content:
        _attach(config, b"")


def save_timing_cache(config: trt.IBuilderConfig, path: Path, tell: Callable[[str], None]) -> None:
    """Keep what the builder has measured; `tell` is told where that fails, which costs time at the next build only."""
    cache: trt.ITimingCache | None = config.get_timing_cache()
    content: trt.IHostMemory | None = cache.serialize() if cache is not None else None
    if content is None:
        return
    try:
        with staged_file(path) as partial:
            partial.write_bytes(memoryview(content))
    except ExportError as error:
        tell(f"the timing cache is not kept: {error}")


def _read(path: Path, tell: Callable[[str], None]) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        tell(f"{path}: the timing cache cannot be read ({error.strerror}); starting without")
        return b""


def _attach(config: trt.IBuilderConfig, content: bytes) -> bool:
    cache: trt.ITimingCache | None = config.create_timing_cache(content)
    return cache is not None and bool(config.set_timing_cache(cache, ignore_mismatch=False))
