"""ONNX Runtime on the processor: the engine that runs everywhere."""

from __future__ import annotations

import platform
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, ModelFile
from edge.engine.engine import check_images
from edge.errors import EngineError

if TYPE_CHECKING:
    import onnxruntime

INPUT_NAME = "image"
OUTPUT_NAME = "probabilities"

UINT8, INT8 = ("int8", "uint8"), ("int8", "int8")
FLOATING = (("fp32", None), ("fp16", None))
"""Kinds of file: (precision, activations)."""
INTEGER_MACHINES = ("x86_64", "amd64", "aarch64", "arm64")
"""Processors, as `platform.machine()` calls them, on which ONNX Runtime fuses uint8 activations with ReLU, addition and
pooling into integer kernels: x86's VNNI, and Arm's UDOT or NEON (its pull request 9902)."""
INTEGER_FIRST = (UINT8, *FLOATING, INT8)
"""Best first; int8 activations are placed for TensorRT and run here as floats, only slower."""
FLOATING_FIRST = (*FLOATING, UINT8, INT8)

LOG_ERRORS_ONLY = 3
"""ONNX Runtime's severity level; its warnings would land between the results on a terminal."""


class OnnxEngine:
    """A bundle's network in an ONNX Runtime session. May be called from several threads."""

    def __init__(self, session: onnxruntime.InferenceSession, bundle: Bundle, model: ModelFile) -> None:
        self.name = f"onnxruntime-cpu-{model.precision}"
        self.model = model
        self._session: onnxruntime.InferenceSession | None = session
        self._bundle = bundle

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32 [batch, 4] of uint8 images [batch, *image_shape]. Raises EngineError."""
        check_images(images, self._bundle)
        if self._session is None:
            raise EngineError(f"{self._bundle.folder}: the engine was closed")
        try:
            probabilities = _run(self._session, images)
        except Exception as error:
            raise EngineError(f"{self._bundle.folder}: ONNX Runtime failed: {_first_line(error)}") from error
        if not np.isfinite(probabilities).all():
            raise EngineError(f"{self._bundle.folder}: the network gave no numbers; its weights overflow, export again")
        return probabilities

    def close(self) -> None:
        """Free the session; calling it again does nothing."""
        self._session = None

    def __enter__(self) -> OnnxEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_onnx_engine(bundle: Bundle, threads: int) -> OnnxEngine:
    """The file of `bundle` that suits this machine, opened. Raises EngineError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError("ONNX Runtime is not installed; install it with: pip install onnxruntime") from error
    model = choose_file(bundle, platform.machine())
    try:
        session = onnxruntime.InferenceSession(
            model.path, _session_options(threads), providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise EngineError(f"{model.path}: ONNX Runtime cannot open it: {_first_line(error)}") from error
    _check_network(session, bundle, model)
    return OnnxEngine(session, bundle, model)


def choose_file(bundle: Bundle, machine: str) -> ModelFile:
    """The file of `bundle` that runs best on a processor called as by `platform.machine()`. Raises EngineError."""
    by_kind = {(file.precision, file.activations): file for file in bundle.files.values()}
    for kind in INTEGER_FIRST if machine.lower() in INTEGER_MACHINES else FLOATING_FIRST:
        if kind in by_kind:
            return by_kind[kind]
    raise EngineError(f"{bundle.folder}: holds no file that ONNX Runtime can run on {machine}; pack the bundle again")


def _run(session: onnxruntime.InferenceSession, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    one_by_one = session.get_inputs()[0].shape[0] == 1
    parts = np.split(images, len(images)) if one_by_one else [images]
    return np.concatenate([session.run([OUTPUT_NAME], {INPUT_NAME: part})[0] for part in parts], dtype=np.float32)


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = LOG_ERRORS_ONLY
    return options


def _check_network(session: onnxruntime.InferenceSession, bundle: Bundle, model: ModelFile) -> None:
    """Refuse a network whose ends or features are not the bundle's: hashes say nothing about what was packed."""
    inputs = [(node.name, node.type, list(node.shape[1:])) for node in session.get_inputs()]
    expected = [(INPUT_NAME, "tensor(uint8)", list(bundle.spec.image_shape))]
    if inputs != expected:
        raise EngineError(f"{model.path}: the network takes {inputs}, its bundle says {expected}; export again")
    outputs = [(node.name, node.type, list(node.shape[1:])) for node in session.get_outputs()]
    expected = [(OUTPUT_NAME, "tensor(float)", [len(bundle.labels)])]
    if outputs != expected:
        raise EngineError(f"{model.path}: the network gives {outputs}, this version needs {expected}; export again")
    batch = session.get_inputs()[0].shape[0]
    if isinstance(batch, int) and batch != 1:
        raise EngineError(f"{model.path}: the network takes {batch} images at a time; pack one exported for 1")
    made_for = session.get_modelmeta().custom_metadata_map.get("feature_fingerprint")
    if made_for != bundle.spec.fingerprint():
        raise EngineError(
            f"{model.path}: the network was made for features {made_for}, its bundle says {bundle.spec.fingerprint()}; "
            "export and pack it again"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
