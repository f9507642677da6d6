"""A stand-in for pycuda.driver, whose GPU memory is NumPy. It proves in which order it is called, and nothing of CUDA.

It keeps pycuda's rules: a stack of contexts for each thread, memory and streams only under a current context, nothing
freed twice, and copies that happen when the stream is waited for, not when they are asked for.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Error(Exception):
    """As pycuda's: the base of all that CUDA refuses."""


class LogicError(Error):
    pass


class MemoryError(Error):
    pass


failing: dict[str, str] = {}
"""What a test makes fail: the name of a call and CUDA's words."""
gpu_name = "Stand-in Orin"
capability = (8, 7)
stacks: dict[int, list[Context]] = {}
"""The contexts that are on each thread's stack."""
retained = 0
"""How many contexts were retained and not yet detached."""
memory: dict[int, NDArray[np.uint8]] = {}
"""What is allocated on the GPU, by address."""
page_locked = 0
"""How many page-locked arrays are alive."""
_addresses = itertools.count(0x1000, 0x1000)
_streams: dict[int, Stream] = {}


def init(flags: int = 0) -> None:
    _refuse("init")


def get_version() -> tuple[int, int, int]:
    return 12, 6, 0


def get_driver_version() -> int:
    return 12060


class Device:
    def __init__(self, number: int) -> None:
        _refuse("Device")
        if number:
            raise LogicError("cuDeviceGet failed: invalid device ordinal")

    def name(self) -> str:
        return gpu_name

    def compute_capability(self) -> tuple[int, int]:
        return capability

    def retain_primary_context(self) -> Context:
        _refuse("retain_primary_context")
        return Context()


class Context:
    def __init__(self) -> None:
        global retained
        retained += 1
        self.valid = True
        self.thread = threading.get_ident()

    def push(self) -> None:
        _refuse("push")
        if threading.get_ident() != self.thread or not self.valid:
            raise LogicError("cannot activate out-of-thread context")
        stacks.setdefault(self.thread, []).append(self)

    @staticmethod
    def pop() -> None:
        stack = stacks.get(threading.get_ident(), [])
        if not stack:
            raise LogicError("context::pop failed: invalid device context - cannot pop non-current context")
        stack.pop()

    def detach(self) -> None:
        global retained
        if not self.valid:
            raise LogicError("context::detach failed: invalid device context - cannot detach from invalid context")
        self.valid = False
        retained -= 1


class Stream:
    def __init__(self, flags: int = 0) -> None:
        _refuse("Stream")
        _require_context()
        self.handle = next(_addresses)
        self.pending: list[Callable[[], None]] = []
        _streams[self.handle] = self

    def synchronize(self) -> None:
        _refuse("synchronize")
        _require_context()
        pending, self.pending = self.pending, []
        for work in pending:
            work()


class DeviceAllocation:
    def __init__(self, size: int) -> None:
        self.address = next(_addresses)
        memory[self.address] = np.full(size, 0xA5, np.uint8)  # fresh GPU memory holds anything

    def __int__(self) -> int:
        return self.address

    def free(self) -> None:
        _refuse("free")
        _require_context()
        if memory.pop(self.address, None) is None:
            raise LogicError("device_allocation::free failed: invalid resource handle")


class _PageLocked(np.ndarray[Any, Any]):
    """Counts itself, so that a test sees whether the last reference is gone when the context goes."""

    def __del__(self) -> None:
        global page_locked
        if self.base is None:
            page_locked -= 1


def pagelocked_empty(shape: tuple[int, ...], dtype: Any, order: str = "C", mem_flags: int = 0) -> NDArray[Any]:
    global page_locked
    _refuse("pagelocked_empty")
    _require_context()
    page_locked += 1
    array: NDArray[Any] = np.ndarray.__new__(_PageLocked, shape, dtype)
    array.view(np.uint8)[...] = 0xA5
    return array


def mem_alloc(size: int) -> DeviceAllocation:
    _refuse("mem_alloc")
    _require_context()
    return DeviceAllocation(size)


def memcpy_htod_async(dest: DeviceAllocation, src: NDArray[Any], stream: Stream) -> None:
    _refuse("memcpy_htod_async")
    _require_context()

    def copy() -> None:
        memory[int(dest)][...] = np.frombuffer(src.tobytes(), np.uint8)

    stream.pending.append(copy)


def memcpy_dtoh_async(dest: NDArray[Any], src: DeviceAllocation, stream: Stream) -> None:
    _refuse("memcpy_dtoh_async")
    _require_context()

    def copy() -> None:
        dest[...] = memory[int(src)].view(dest.dtype).reshape(dest.shape)

    stream.pending.append(copy)


def enqueue(stream_handle: int, work: Callable[[], None]) -> None:
    """For the stand-in of TensorRT: run `work` when the stream comes to it."""
    _streams[stream_handle].pending.append(work)


def _refuse(call: str) -> None:
    if call in failing:
        kind = MemoryError if "memory" in failing[call] else LogicError
        raise kind(f"{call} failed: {failing[call]}")


def _require_context() -> None:
    if not stacks.get(threading.get_ident()):
        raise LogicError("explicit_context_dependent failed: invalid device context - no currently active context?")
