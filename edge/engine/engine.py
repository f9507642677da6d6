"""What every inference engine offers, and the choice between them; only the chosen one's library is imported."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, ModelFile
from edge.errors import EngineError

ENGINES = ("auto", "onnx", "tensorrt")
DEFAULT_THREADS = 1
"""ResNet-34 in INT8 needs a few milliseconds a window: a second thread saves one of them and keeps a core spinning."""


class Engine(Protocol):
    """A network ready to run. Close it, or use it as a context manager."""

    name: str
    """Stands in every result, such as `onnxruntime-cpu-int8`."""
    model: ModelFile
    """The file of the bundle that it computes."""

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32 [batch, 4] of uint8 images [batch, *image_shape]. Raises EngineError for others."""
        ...

    def close(self) -> None:
        """Free what the engine holds; calling it again does nothing."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def open_engine(
    bundle: Bundle,
    engine: str = "auto",
    threads: int = DEFAULT_THREADS,
    *,
    tell: Callable[[str], None] = lambda _: None,
    environ: Mapping[str, str] = os.environ,
) -> Engine:
    """An engine for `bundle` on this machine, with `threads` processor threads. Raises EngineError where none runs.

    `auto` is TensorRT where it is installed and has an engine that was built from this bundle on this machine, else
    ONNX Runtime. Of an engine that is there and not used, `tell` is told why, in a line for people.
    """
    if engine == "tensorrt":
        return _open_tensorrt(bundle, tell, environ)
    if engine == "auto" and _has_tensorrt() and (maybe_engine := _maybe_tensorrt(bundle, tell, environ)):
        return maybe_engine
    if engine in ("auto", "onnx"):
        from edge.engine.onnx import open_onnx_engine

        return open_onnx_engine(bundle, threads)
    raise EngineError(f"no engine is called {engine!r}; use one of {', '.join(ENGINES)}")


def check_images(images: NDArray[np.uint8], bundle: Bundle) -> None:
    """Raise EngineError, with what was expected and what came, unless the bundle's network takes `images`."""
    expected = bundle.spec.image_shape
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[0] == 0 or images.shape[1:] != expected:
        raise EngineError(
            f"{bundle.folder}: the network takes uint8 images [batch, {', '.join(map(str, expected))}], "
            f"not {images.dtype} {list(images.shape)}"
        )


def _has_tensorrt() -> bool:
    """Whether both libraries could be imported; importing them would cost every start of the program on a PC."""
    return all(importlib.util.find_spec(name) is not None for name in ("tensorrt", "pycuda"))


def _maybe_tensorrt(bundle: Bundle, tell: Callable[[str], None], environ: Mapping[str, str]) -> Engine | None:
    from edge.engine.engines_folder import engines_folder
    from edge.engine.plan_source import holds_plans

    try:
        if not holds_plans(engines_folder(environ), bundle.device):
            return None
        return _open_tensorrt(bundle, tell, environ)
    except EngineError as error:
        tell(f"respire-edge: using ONNX Runtime instead of TensorRT: {error}")
        return None


def _open_tensorrt(bundle: Bundle, tell: Callable[[str], None], environ: Mapping[str, str]) -> Engine:
    """The fastest engine of the bundle that opens. Raises EngineError, about the fastest one, where none does."""
    from edge.engine.engines_folder import engines_folder
    from edge.engine.plan_source import plan_exists, plan_sources
    from edge.engine.tensorrt import open_tensorrt_engine

    folder, sources = engines_folder(environ), plan_sources(bundle)
    errors: list[EngineError] = []
    for source in [source for source in sources if plan_exists(source.plan_path(folder))] or sources[:1]:
        try:
            engine = open_tensorrt_engine(source, folder)
        except EngineError as error:
            errors.append(error)
        else:
            for unused in errors:
                tell(f"respire-edge: using {engine.name} instead of another: {unused}")
            return engine
    raise errors[0]
