"""A stand-in for NVIDIA's tensorrt: its "plan" is the ONNX file, which ONNX Runtime runs. It proves orchestration only.

That the names and signatures used of the real module exist in it is proven against NVIDIA's own bindings, in
tests/test_export; that a real engine computes the right thing is proven by the golden check, on the device.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import onnxruntime
import pycuda.driver as cuda

__version__ = "10.3.0"

PLAN_MARK = b"stand-in plan "
CACHE_MARK = b"stand-in timing cache "


@dataclass
class Faults:
    """What a test makes go wrong."""

    starting: str | None = None
    """The library makes no builder and no runtime."""
    parsing: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Node, operator, name and description of what the parser refuses."""
    building: str | None = None
    preparing: str | None = None
    binding: str | None = None
    running: str | None = None
    probability_offset: float = 0.0
    """Added to the first probability and taken from the second."""
    input_name: str = "image"


faults = Faults()
timing_caches: list[tuple[bytes, bool]] = []
"""Each cache that a configuration was offered, with `ignore_mismatch`."""
builds = 0
freed_late: list[str] = []
"""What was freed while no CUDA context was current."""


class Dims(tuple[int, ...]):
    pass


class IHostMemory(bytes):
    pass


class DataType(Enum):
    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    UINT8 = 5


class TensorIOMode(Enum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class MemoryPoolType(Enum):
    WORKSPACE = 0


class NetworkDefinitionCreationFlag(IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class ILogger:
    class Severity(IntEnum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    def log(self, severity: Severity, msg: str) -> None:
        """To be overridden."""


class IProgressMonitor:
    pass


@dataclass
class ITensor:
    name: str
    shape: Dims
    dtype: DataType


_TYPES = {"tensor(uint8)": DataType.UINT8, "tensor(float)": DataType.FLOAT, "tensor(float16)": DataType.HALF}


def _tensors(nodes: Sequence[Any]) -> list[ITensor]:
    return [
        ITensor(node.name, Dims(size if isinstance(size, int) else -1 for size in node.shape), _TYPES[node.type])
        for node in nodes
    ]


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


class INetworkDefinition:
    def __init__(self) -> None:
        self.content = b""
        self.inputs: list[ITensor] = []
        self.outputs: list[ITensor] = []

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    @property
    def num_outputs(self) -> int:
        return len(self.outputs)

    def get_input(self, index: int) -> ITensor:
        return self.inputs[index]

    def get_output(self, index: int) -> ITensor:
        return self.outputs[index]


class ParserError:
    def __init__(self, node: int, operator: str, name: str, description: str) -> None:
        self._fields = (node, operator, name, description)

    def node(self) -> int:
        return self._fields[0]

    def node_operator(self) -> str:
        return self._fields[1]

    def node_name(self) -> str:
        return self._fields[2]

    def desc(self) -> str:
        return self._fields[3]


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = network
        self._errors = [ParserError(*fault) for fault in faults.parsing]

    def parse(self, model: bytes) -> bool:
        try:
            session = _session(model)
        except Exception as error:  # noqa: BLE001 - as the real one, which raises nothing
            self._errors.append(ParserError(-1, "", "", str(error)))
        if self._errors:
            return False
        self._network.content = bytes(model)
        self._network.inputs = _tensors(session.get_inputs())
        self._network.outputs = _tensors(session.get_outputs())
        return True

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> IHostMemory:
        return IHostMemory(CACHE_MARK + _machine() + b" %d" % builds)


class IBuilderConfig:
    def __init__(self, logger: ILogger) -> None:
        self.logger = logger
        self.builder_optimization_level = 3
        self.progress_monitor: Any = None
        self.pool_limits: dict[MemoryPoolType, int] = {}
        self._cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self.pool_limits[pool] = pool_size

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        content = bytes(serialized_timing_cache)
        if content and not content.startswith(CACHE_MARK):
            self.logger.log(ILogger.Severity.ERROR, "Timing cache: verification failed, magic tag does not match")
            return None
        return ITimingCache(content)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        timing_caches.append((cache.content, ignore_mismatch))
        if cache.content and not cache.content.startswith(CACHE_MARK + _machine()):
            self.logger.log(ILogger.Severity.ERROR, "Timing cache: CUDA device property mismatch")
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self._cache


class Builder:
    def __init__(self, logger: ILogger) -> None:
        _start(logger)
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        if not flags & 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED:
            raise ValueError("weakly typed networks are not what this project builds")
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig(self._logger)

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        global builds
        if not _show_phases(config.progress_monitor):
            self._logger.log(ILogger.Severity.ERROR, "Build was cancelled by the progress monitor")
            return None
        if faults.building is not None:
            self._logger.log(ILogger.Severity.ERROR, faults.building)
            return None
        builds += 1
        self._logger.log(ILogger.Severity.INFO, "Engine generation completed")
        options = json.dumps([config.builder_optimization_level, *config.pool_limits.values()]).encode()
        return IHostMemory(b"\n".join((PLAN_MARK + _machine(), options, network.content)))


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        _start(logger)
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        header, _, rest = bytes(serialized_engine).partition(b"\n")
        if header != PLAN_MARK + _machine():
            self._logger.log(
                ILogger.Severity.ERROR,
                "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
                "stdVersionRead == kSERIALIZATION_VERSION failed.\nVersion tag does not match.)",
            )
            return None
        return ICudaEngine(rest.partition(b"\n")[2], self._logger)


class ICudaEngine:
    def __init__(self, content: bytes, logger: ILogger) -> None:
        self.session = _session(content)
        self.logger = logger
        self._inputs = _tensors(self.session.get_inputs())
        self._outputs = _tensors(self.session.get_outputs())
        self._inputs[0].name = faults.input_name

    @property
    def num_io_tensors(self) -> int:
        return len(self._inputs) + len(self._outputs)

    def get_tensor_name(self, index: int) -> str:
        return [*self._inputs, *self._outputs][index].name

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in [tensor.name for tensor in self._inputs] else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return self._tensor(name).dtype

    def get_tensor_shape(self, name: str) -> Dims:
        return self._tensor(name).shape

    def create_execution_context(self) -> IExecutionContext | None:
        if faults.preparing is not None:
            self.logger.log(ILogger.Severity.ERROR, faults.preparing)
            return None
        return IExecutionContext(self)

    def __del__(self) -> None:
        _note_freeing("engine")

    def _tensor(self, name: str) -> ITensor:
        return next(tensor for tensor in (*self._inputs, *self._outputs) if tensor.name == name)


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def __del__(self) -> None:
        _note_freeing("execution context")

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if faults.binding is not None:
            self._engine.logger.log(ILogger.Severity.ERROR, faults.binding)
            return False
        self._addresses[name] = memory
        return memory in cuda.memory

    def execute_async_v3(self, stream_handle: int) -> bool:
        if faults.running is not None:
            self._engine.logger.log(ILogger.Severity.ERROR, faults.running)
            return False
        cuda.enqueue(stream_handle, self._run)
        return True

    def _run(self) -> None:
        image = self._engine.session.get_inputs()[0]
        pixels = cuda.memory[self._addresses["image"]].reshape(image.shape)
        probabilities = self._engine.session.run(["probabilities"], {"image": pixels})[0].copy()
        probabilities[:, :2] += (faults.probability_offset, -faults.probability_offset)
        cuda.memory[self._addresses["probabilities"]][...] = np.frombuffer(probabilities.tobytes(), np.uint8)


def _start(logger: ILogger) -> None:
    if faults.starting is not None:
        logger.log(ILogger.Severity.ERROR, faults.starting)
        raise TypeError("pybind11::init(): factory function returned nullptr")


def _note_freeing(what: str) -> None:
    if not cuda.stacks.get(threading.get_ident()):
        freed_late.append(what)


def _machine() -> bytes:
    return json.dumps([__version__, cuda.gpu_name]).encode()


def _show_phases(monitor: Any) -> bool:
    """Two phases, one within the other, as the real builder reports them. Whether the monitor lets them go on."""
    monitor.phase_start("Building Engine", None, 2)
    monitor.phase_start("Timing tactics", "Building Engine", 3)
    goes_on = all(monitor.step_complete("Timing tactics", step) for step in range(3))
    monitor.phase_finish("Timing tactics")
    goes_on = goes_on and all(monitor.step_complete("Building Engine", step) for step in range(2))
    monitor.phase_finish("Building Engine")
    return bool(goes_on)
