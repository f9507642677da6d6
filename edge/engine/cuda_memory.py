"""Memory of an NVIDIA GPU, through pycuda. No other file imports pycuda.

The *primary* context is used, which TensorRT's own CUDA calls share; `pycuda.autoinit` would make a second one. CUDA
keeps a stack of contexts for each thread, so all of this belongs to the thread that opened it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.engine.pycuda_build import BUILD_PYCUDA
from edge.errors import EngineError

if TYPE_CHECKING:
    import pycuda.driver


@dataclass(frozen=True)
class Gpu:
    """What a plan's key says of a GPU and of the CUDA that reaches it."""

    name: str
    """As CUDA calls it, such as `Orin`."""
    compute_capability: str
    """Such as `8.7`."""
    cuda: str
    """The version that the driver supports and the one that pycuda was built with."""


class Buffer:
    """One array twice: page-locked in the computer's memory, and on the GPU."""

    def __init__(self, host: NDArray[Any], device: pycuda.driver.DeviceAllocation) -> None:
        self.host = host
        """To be filled or read while no copy is under way. After `CudaMemory.close` it is empty."""
        self.device = device
        self.address = int(device)
        """Where it is on the GPU."""


class CudaMemory:
    """Buffers and one stream on one GPU, for the thread that opened it. Close it, or use it as a context manager.

    Between calls no context is on the thread's stack: where a thread ends with one on it, pycuda ends the program.
    """

    def __init__(self, cuda: Any, context: pycuda.driver.Context) -> None:
        """For `open`. `cuda` is the module pycuda.driver."""
        self._cuda = cuda
        self._context = context
        self._thread = threading.get_ident()
        self._buffers: list[Buffer] = []
        self._stream: pycuda.driver.Stream | None = None
        self._closed = False

    @classmethod
    def open(cls, device: int = 0) -> CudaMemory:
        """A stream in the GPU's primary context. Raises EngineError."""
        cuda = _driver()
        with _cuda_errors(cuda, f"GPU {device} cannot be used"), ExitStack() as undo:
            cuda.init()
            memory = cls(cuda, cuda.Device(device).retain_primary_context())
            undo.callback(memory.close)
            with memory.current():
                memory._stream = cuda.Stream()
            undo.pop_all()
        return memory

    @contextmanager
    def current(self) -> Iterator[None]:
        """The context is current inside the block, for what uses it unasked, such as TensorRT. Raises EngineError."""
        self._check_thread()
        if self._closed:
            raise EngineError("the GPU memory was closed; open the engine again")
        with _cuda_errors(self._cuda, "the GPU's context cannot be used"):
            self._context.push()
        try:
            yield
        finally:
            self._release(self._context.pop)

    @property
    def stream_handle(self) -> int:
        """The `cudaStream_t` as an integer, as TensorRT takes it."""
        with self._used("no stream") as stream:
            return int(stream.handle)

    def buffer(self, shape: Sequence[int], dtype: DTypeLike) -> Buffer:
        """A new buffer of `shape` and `dtype`, freed by `close`. Raises EngineError where memory is short."""
        size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        with self._used(f"no GPU buffer of {size_bytes} bytes"):
            buffer = Buffer(self._cuda.pagelocked_empty(tuple(shape), dtype), self._cuda.mem_alloc(size_bytes))
        self._buffers.append(buffer)
        return buffer

    def to_device(self, buffer: Buffer) -> None:
        """Start copying `buffer.host` to the GPU. Raises EngineError."""
        with self._used("copying to the GPU failed") as stream:
            self._cuda.memcpy_htod_async(buffer.device, buffer.host, stream)

    def to_host(self, buffer: Buffer) -> None:
        """Start copying from the GPU to `buffer.host`, once what is under way on the stream is done. EngineError."""
        with self._used("copying from the GPU failed") as stream:
            self._cuda.memcpy_dtoh_async(buffer.host, buffer.device, stream)

    def synchronize(self) -> None:
        """Wait until everything that was put on the stream is done. Raises EngineError where some of it failed."""
        with self._used("the GPU failed") as stream:
            stream.synchronize()

    def close(self) -> None:
        """Free buffers and stream and give the context back; calling it again does nothing."""
        self._check_thread()
        if self._closed:
            return
        try:
            with self.current():
                while self._buffers:
                    self._free(self._buffers.pop())
                self._stream = None
        finally:
            self._closed = True
            # pycuda has CUDA push a primary context that it detaches, and not pop it; it ends with the thread.
            self._release(self._context.detach)

    def __enter__(self) -> CudaMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _used(self, what: str) -> Iterator[pycuda.driver.Stream]:
        with self.current(), _cuda_errors(self._cuda, what):
            yield self._stream

    def _free(self, buffer: Buffer) -> None:
        # Nobody may be left with an array whose memory is gone, so page-locked memory goes with its last reference.
        buffer.host = np.empty(0, buffer.host.dtype)
        self._release(buffer.device.free)

    def _release(self, release: Callable[[], object]) -> None:
        # After a failure CUDA refuses to free what it has lost already; the failure itself has been reported.
        with suppress(self._cuda.Error):
            release()

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise EngineError(
                f"GPU memory was opened in another thread than {threading.current_thread().name!r}, which now uses it; "
                "CUDA contexts belong to one thread: call from that one"
            )


def read_gpu(device: int = 0) -> Gpu:
    """What the key of a plan needs to know. Makes no context, so any thread may ask. Raises EngineError."""
    cuda = _driver()
    with _cuda_errors(cuda, f"GPU {device} cannot be used"):
        cuda.init()
        gpu = cuda.Device(device)
        major, minor = gpu.compute_capability()
        driver = cuda.get_driver_version()
        built = cuda.get_version()
        versions = f"driver {driver // 1000}.{driver % 1000 // 10}, pycuda {built[0]}.{built[1]}"
        return Gpu(gpu.name(), f"{major}.{minor}", versions)


@contextmanager
def _cuda_errors(cuda: Any, what: str) -> Iterator[None]:
    """Turn whatever CUDA refuses inside the block into an EngineError that begins with `what`."""
    try:
        yield
    except cuda.Error as error:
        raise EngineError(f"{what}: {' '.join(str(error).split())}; is the GPU free, and its driver loaded?") from error


def _driver() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a driver that does not fit it warns, and then raises
            import pycuda.driver
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "pycuda":
            raise EngineError(f"pycuda needs {error.name}, which is not installed; {BUILD_PYCUDA}") from error
        raise EngineError(f"pycuda is not installed; {BUILD_PYCUDA}") from error
    except ImportError as error:
        raise EngineError(f"pycuda cannot be loaded ({error}); install the NVIDIA driver, or {BUILD_PYCUDA}") from error
    return pycuda.driver
