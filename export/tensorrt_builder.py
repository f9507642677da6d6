"""An ONNX file to a TensorRT plan. Imports TensorRT, so that only what builds may import this."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsInt, TypeVar

import tensorrt as trt

from edge.engine.machine import major_minor
from edge.engine.plan_source import PlanSource
from edge.engine.tensorrt import tensor_text
from edge.engine.tensorrt_log import TensorRTLog
from edge.errors import EngineError
from export.build_progress import BuildProgress
from export.builder_options import BuilderOptions
from export.timing_cache import load_timing_cache, save_timing_cache

_Thing = TypeVar("_Thing")

STRONG_TYPING_COMPLETE = (10, 12)
"""NVIDIA's guide for moving to strong typing: fully available from here on; 10.3 to 10.11 know it with gaps."""


@dataclass(frozen=True)
class BuildWatch:
    """Who is told about a build while it runs."""

    progress: BuildProgress
    stopping: Callable[[], bool]
    """Asked after each step whether to give up."""
    tell: Callable[[str], None]
    """Takes a line about something that went wrong and was got around."""


def build_plan(
    source: PlanSource, options: BuilderOptions, timing_cache: Path, watch: BuildWatch, log: TensorRTLog
) -> bytes:
    """The plan. Raises EngineError where TensorRT cannot build it, KeyboardInterrupt where it was stopped.

    The build runs in a thread of its own: Python handles signals in the main thread, which would otherwise be inside
    TensorRT for minutes.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="tensorrt-builder") as thread:
        return thread.submit(_build, source, options, timing_cache, watch, log).result()


def _build(
    source: PlanSource, options: BuilderOptions, timing_cache: Path, watch: BuildWatch, log: TensorRTLog
) -> bytes:
    builder = _create_builder(log)
    # Older versions have this flag off by default, newer ones always on.
    network = _made(builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)), "network", log)
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse(source.model.path.read_bytes()):
        raise _parser_error(parser, source, watch.tell)
    _check_network(network, source)
    config = _made(builder.create_builder_config(), "configuration", log)
    _configure(config, options, watch)
    load_timing_cache(config, timing_cache, watch.tell)
    log.errors.clear()  # a cache that was refused is no reason for what may fail from here on
    plan: trt.IHostMemory | None = builder.build_serialized_network(network, config)
    if watch.stopping():
        raise KeyboardInterrupt
    if plan is None:
        raise EngineError(
            f"{source.model.path}: TensorRT {trt.__version__} cannot build it: {log.reason()}{_advice(source)}"
        )
    save_timing_cache(config, timing_cache, watch.tell)
    return bytes(memoryview(plan))


def _create_builder(log: TensorRTLog) -> trt.Builder:
    try:
        return trt.Builder(log.logger)
    except TypeError as error:  # pybind11's word for a builder that the library would not make
        raise EngineError(f"TensorRT cannot start on this GPU: {log.reason(str(error))}") from error


def _made(thing: _Thing | None, name: str, log: TensorRTLog) -> _Thing:
    if thing is None:
        raise EngineError(f"TensorRT makes no {name}: {log.reason()}; free GPU memory and try again")
    return thing


def _configure(config: trt.IBuilderConfig, options: BuilderOptions, watch: BuildWatch) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    config.builder_optimization_level = options.optimization_level
    config.progress_monitor = _Monitor(watch)


def _check_network(network: trt.INetworkDefinition, source: PlanSource) -> None:
    """Refuse a network whose ends are not the bundle's, or whose shapes are not static."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    for tensors, expected in ((inputs, source.input_text), (outputs, source.output_text)):
        texts = [tensor_text(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors if tensor is not None]
        found = ", ".join(texts)
        if found != expected:
            raise EngineError(
                f"{source.model.path}: the network has {found!r} where {expected!r} is needed (-1: not static); export "
                "and pack it again"
            )


def _parser_error(parser: trt.OnnxParser, source: PlanSource, tell: Callable[[str], None]) -> EngineError:
    """What the parser refused; where that is more than one node, `tell` gets a line for each."""
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    texts = [f"node {error.node()} {error.node_operator()} {error.node_name()!r}: {error.desc()}" for error in errors]
    lines = [" ".join(text.split()) for text in texts]
    for line in lines if len(lines) > 1 else ():
        tell(line)
    first = lines[0] if len(lines) == 1 else f"{len(lines)} errors"
    path, version = source.model.path, trt.__version__
    return EngineError(f"{path}: TensorRT {version} cannot read it ({first}); export and pack it again")


def _advice(source: PlanSource) -> str:
    if major_minor(trt.__version__) >= STRONG_TYPING_COMPLETE:
        return ""
    complete = ".".join(map(str, STRONG_TYPING_COMPLETE))
    other = "use --precision fp16, or " if source.precision == "int8" else ""
    return f"; strongly typed networks are complete from TensorRT {complete} on: {other}update JetPack"


class _Monitor(trt.IProgressMonitor):
    """Hands TensorRT's phases on. Never raises: an exception cannot pass through TensorRT's C++."""

    def __init__(self, watch: BuildWatch) -> None:
        super().__init__()
        self._watch = watch

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: SupportsInt) -> None:  # noqa: ARG002 - TensorRT's
        self._watch.progress.start(phase_name, int(num_steps))

    def step_complete(self, phase_name: str, step: SupportsInt) -> bool:
        self._watch.progress.step(phase_name, int(step))
        return not self._watch.stopping()

    def phase_finish(self, phase_name: str) -> None:
        self._watch.progress.finish(phase_name)
