"""What every inference engine offers, and the choice between them; only the chosen one's library is imported."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.errors import EngineError

ENGINES = ("auto", "onnx", "tensorrt")
DEFAULT_THREADS = 1
"""ResNet-34 in INT8 needs a few milliseconds a window: a second thread saves one of them and keeps a core spinning."""


class Engine(Protocol):
    """A network ready to run. Close it, or use it as a context manager."""

    name: str
    """Stands in every result, such as `onnxruntime-cpu-int8`."""

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


def open_engine(bundle: Bundle, engine: str = "auto", threads: int = DEFAULT_THREADS) -> Engine:
    """An engine for `bundle` on this machine, with `threads` processor threads. Raises EngineError where none runs."""
    if engine in ("auto", "onnx"):
        from edge.engine.onnx import open_onnx_engine

        return open_onnx_engine(bundle, threads)
    if engine == "tensorrt":
        raise EngineError("the TensorRT engine comes with build_engine and is not in this version; use --engine onnx")
    raise EngineError(f"no engine is called {engine!r}; use one of {', '.join(ENGINES)}")


def check_images(images: NDArray[np.uint8], bundle: Bundle) -> None:
    """Raise EngineError, with what was expected and what came, unless the bundle's network takes `images`."""
    expected = bundle.spec.image_shape
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[0] == 0 or images.shape[1:] != expected:
        raise EngineError(
            f"{bundle.folder}: the network takes uint8 images [batch, {', '.join(map(str, expected))}], "
            f"not {images.dtype} {list(images.shape)}"
        )
