"""TensorRT on an NVIDIA GPU: the engine of a Jetson, from a plan that `export.build_engine` built on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.engine.cuda_memory import CudaMemory
from edge.engine.engine import check_images
from edge.engine.machine import this_machine
from edge.engine.plan import maybe_difference, read_plan
from edge.engine.plan_source import INPUT_NAME, OUTPUT_NAME, PlanSource, plan_exists
from edge.engine.tensorrt_log import open_log
from edge.errors import EngineError

if TYPE_CHECKING:
    import tensorrt as trt


class TensorRTEngine:
    """A bundle's network on the GPU. May be called from several threads: one of its own does all CUDA work."""

    def __init__(self, path: Path, content: bytes, source: PlanSource, version: str) -> None:
        """Open the plan that TensorRT `version` built from `source`; `path` is for messages. Raises EngineError."""
        self.name = f"tensorrt-{version}-{source.precision}"
        self.model = source.model
        self._path = path
        self._source = source
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        self._network: _Network | None = None
        try:
            self._network = self._thread.submit(_Network, path, content, source).result()
        finally:
            if self._network is None:
                self._thread.shutdown()

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32 [batch, 4] of uint8 images [batch, *image_shape]. Raises EngineError."""
        check_images(images, self._source.bundle)
        if self._network is None:
            raise EngineError(f"{self._path}: the engine was closed")
        probabilities = self._thread.submit(self._network.infer, images).result()
        if not np.isfinite(probabilities).all():
            raise EngineError(f"{self._path}: the network gave no numbers; use --engine onnx, or {self._source.remedy}")
        return probabilities

    def close(self) -> None:
        """Free what is held on the GPU; calling it again does nothing."""
        network, self._network = self._network, None
        if network is not None:
            self._thread.submit(network.close).result()
            self._thread.shutdown()

    def __enter__(self) -> TensorRTEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_tensorrt_engine(source: PlanSource, folder: Path) -> TensorRTEngine:
    """The plan of `source` in `folder`. Raises EngineError where there is none that was built and proven here."""
    machine = this_machine()
    path = source.plan_path(folder)
    if not plan_exists(path):
        raise EngineError(
            f"{path}: no engine was built from {source.model.path} yet; build it with: {source.build_command}"
        )
    plan = read_plan(path, source.remedy)
    key, golden = plan.sidecar.key, plan.sidecar.golden
    # With which options it was built was the builder's choice; here any will do.
    wanted = replace(source.key(machine, builder_options=""), builder_options=key.builder_options)
    if difference := maybe_difference(key, wanted):
        raise EngineError(f"{path}: {difference}; {source.remedy}")
    if not golden.passed:
        raise EngineError(
            f"{path}: its sidecar says that it failed on the bundle's golden inputs (off by "
            f"{golden.max_difference}, {golden.tolerance} is allowed); {source.remedy}"
        )
    return TensorRTEngine(path, plan.content, source, machine.tensorrt)


class _Network:
    """A plan ready to run, for the thread that made it."""

    def __init__(self, path: Path, content: bytes, source: PlanSource) -> None:
        self._path = path
        self._source = source
        self._log = open_log()
        with ExitStack() as opened:
            self._memory = opened.enter_context(CudaMemory.open())
            opened.callback(self._forget)
            with self._memory.current():
                self._engine: trt.ICudaEngine | None = self._deserialize(content)
                _check_tensors(self._engine, source, path)
                self._context: trt.IExecutionContext | None = self._create_context(self._engine)
                self._image = self._memory.buffer(source.image_shape, np.uint8)
                self._probabilities = self._memory.buffer(source.probabilities_shape, np.float32)
                self._bind(self._context)
            self._opened = opened.pop_all()

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 [batch, 4]; a plan takes one image at a time."""
        with self._memory.current():
            return np.concatenate([self._infer_one(image) for image in images])

    def close(self) -> None:
        """Give everything back, the GPU's context last."""
        self._opened.close()

    def _infer_one(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._image.host[0] = image
        self._memory.to_device(self._image)
        if self._context is None or not self._context.execute_async_v3(self._memory.stream_handle):
            raise EngineError(f"{self._path}: TensorRT failed: {self._log.reason()}; {self._source.remedy}")
        self._memory.to_host(self._probabilities)
        self._memory.synchronize()
        return np.array(self._probabilities.host, np.float32)

    def _deserialize(self, content: bytes) -> trt.ICudaEngine:
        import tensorrt as trt

        try:
            self._runtime: trt.Runtime | None = trt.Runtime(self._log.logger)
            engine: trt.ICudaEngine | None = self._runtime.deserialize_cuda_engine(content)
        except TypeError as error:  # pybind11's word for a runtime that the library would not make
            raise EngineError(f"TensorRT cannot start on this GPU: {self._log.reason(str(error))}") from error
        if engine is None:
            raise EngineError(f"{self._path}: TensorRT refuses the engine: {self._log.reason()}; {self._source.remedy}")
        return engine

    def _create_context(self, engine: trt.ICudaEngine) -> trt.IExecutionContext:
        context: trt.IExecutionContext | None = engine.create_execution_context()
        if context is None:
            raise EngineError(
                f"{self._path}: TensorRT cannot prepare the engine: {self._log.reason()}; free GPU memory"
            )
        return context

    def _bind(self, context: trt.IExecutionContext) -> None:
        for name, buffer in ((INPUT_NAME, self._image), (OUTPUT_NAME, self._probabilities)):
            if not context.set_tensor_address(name, buffer.address):
                raise EngineError(f"{self._path}: TensorRT takes no buffer for {name!r}: {self._log.reason()}")

    def _forget(self) -> None:
        # TensorRT frees what it holds on the GPU with the last reference to it, for which it wants the context.
        with self._memory.current():
            self._context = None
            self._engine = None
            self._runtime = None


def tensor_text(name: str, dtype: trt.DataType, dimensions: trt.Dims) -> str:
    """One end of a network, such as `image UINT8 1x1x64x219`; -1 stands for a dimension that is not static."""
    return f"{name} {dtype.name} {'x'.join(str(dimensions[index]) for index in range(len(dimensions)))}"


def _check_tensors(engine: trt.ICudaEngine, source: PlanSource, path: Path) -> None:
    """Refuse a plan whose ends are not those of the bundle's networks."""
    import tensorrt as trt

    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    texts = {name: tensor_text(name, engine.get_tensor_dtype(name), engine.get_tensor_shape(name)) for name in names}
    for mode, expected in ((trt.TensorIOMode.INPUT, source.input_text), (trt.TensorIOMode.OUTPUT, source.output_text)):
        found = ", ".join(texts[name] for name in names if engine.get_tensor_mode(name) == mode)
        if found != expected:
            raise EngineError(
                f"{path}: the engine has {mode.name.lower()} {found!r}, this version needs {expected!r}; "
                f"{source.remedy}"
            )
