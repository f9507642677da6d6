"""The GPU's memory belongs to one thread, and nothing of it is left behind.

Over a stand-in for pycuda, which keeps pycuda's rules about contexts and threads; see tests/stand_ins.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.engine.cuda_memory import CudaMemory, read_gpu
from edge.errors import EngineError


def current_contexts(stand_ins: Any) -> int:
    return sum(len(stack) for stack in stand_ins.cuda.stacks.values())


def test_what_goes_to_the_gpu_comes_back(stand_ins: Any) -> None:
    with CudaMemory.open() as memory:
        buffer = memory.buffer((2, 3), np.float32)
        buffer.host[...] = np.arange(6).reshape(2, 3)
        memory.to_device(buffer)
        memory.synchronize()
        buffer.host[...] = 0
        memory.to_host(buffer)
        memory.synchronize()
        assert buffer.host.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert buffer.address in stand_ins.cuda.memory


def test_the_context_is_given_back_once(stand_ins: Any) -> None:
    memory = CudaMemory.open()
    memory.buffer((4,), np.uint8)
    assert stand_ins.cuda.retained == 1
    memory.close()
    memory.close()
    assert (current_contexts(stand_ins), stand_ins.cuda.retained) == (0, 0)
    assert stand_ins.cuda.memory == {}
    assert stand_ins.cuda.page_locked == 0


def test_between_calls_no_context_is_on_the_stack_at_which_pycuda_would_end_the_program(stand_ins: Any) -> None:
    with CudaMemory.open() as memory:
        memory.to_device(memory.buffer((4,), np.uint8))
        assert current_contexts(stand_ins) == 0
        with memory.current():
            assert current_contexts(stand_ins) == 1
            memory.synchronize()
            assert current_contexts(stand_ins) == 1


def test_buffers_of_a_closed_memory_are_empty_and_no_dangling_memory(stand_ins: Any) -> None:
    with CudaMemory.open() as memory:
        buffer = memory.buffer((4,), np.uint8)
    assert buffer.host.size == 0
    for use in (lambda: memory.to_device(buffer), memory.synchronize, lambda: memory.buffer((1,), np.uint8)):
        with pytest.raises(EngineError, match="was closed"):
            use()


@pytest.mark.parametrize("step", ["init", "Device", "retain_primary_context", "push", "Stream"])
def test_opening_that_fails_half_way_leaves_no_context(stand_ins: Any, step: str) -> None:
    stand_ins.cuda.failing[step] = "unknown error"
    with pytest.raises(EngineError, match=f"cannot be used: {step} failed: unknown error"):
        CudaMemory.open()
    assert (current_contexts(stand_ins), stand_ins.cuda.retained) == (0, 0)


@pytest.mark.parametrize(
    ("step", "use"),
    [
        ("pagelocked_empty", lambda memory: memory.buffer((4,), np.uint8)),
        ("mem_alloc", lambda memory: memory.buffer((4,), np.uint8)),
        ("memcpy_htod_async", lambda memory: memory.to_device(memory.buffer((4,), np.uint8))),
        ("memcpy_dtoh_async", lambda memory: memory.to_host(memory.buffer((4,), np.uint8))),
        ("synchronize", lambda memory: memory.synchronize()),
    ],
)
def test_whatever_cuda_refuses_is_one_line(stand_ins: Any, step: str, use: Callable[[CudaMemory], None]) -> None:
    stand_ins.cuda.failing[step] = "out of memory\nin two lines"
    with CudaMemory.open() as memory, pytest.raises(EngineError, match=f"{step} failed: out of memory in") as caught:
        use(memory)
    assert "\n" not in str(caught.value)
    assert stand_ins.cuda.retained == 0


def test_a_buffer_that_cannot_be_freed_keeps_nothing_else(stand_ins: Any) -> None:
    with CudaMemory.open() as memory:
        memory.buffer((4,), np.uint8)
        stand_ins.cuda.failing["free"] = "an illegal memory access was encountered"
    assert (current_contexts(stand_ins), stand_ins.cuda.retained) == (0, 0)
    stand_ins.cuda.memory.clear()


@pytest.mark.parametrize(
    "use",
    [
        lambda memory, buffer: memory.to_device(buffer),
        lambda memory, buffer: memory.to_host(buffer),
        lambda memory, buffer: memory.buffer((1,), np.uint8),
        lambda memory, buffer: memory.synchronize(),
        lambda memory, buffer: memory.stream_handle,
        lambda memory, buffer: memory.close(),
    ],
    ids=["to_device", "to_host", "buffer", "synchronize", "stream_handle", "close"],
)
def test_another_thread_is_refused_before_it_reaches_cuda(stand_ins: Any, use: Callable[..., Any]) -> None:
    with CudaMemory.open() as memory, ThreadPoolExecutor(1, thread_name_prefix="stranger") as stranger:
        buffer = memory.buffer((4,), np.uint8)
        stand_ins.cuda.failing.update(dict.fromkeys(("memcpy_htod_async", "mem_alloc", "synchronize"), "was reached"))
        with pytest.raises(EngineError, match=r"another thread than 'stranger_0'.*one thread") as caught:
            stranger.submit(use, memory, buffer).result()
        assert "was reached" not in str(caught.value)
        stand_ins.cuda.failing.clear()


def test_a_context_that_was_current_before_is_current_again(stand_ins: Any) -> None:
    before = stand_ins.cuda.Device(0).retain_primary_context()
    before.push()
    with CudaMemory.open() as memory:
        memory.buffer((4,), np.uint8)
    assert list(stand_ins.cuda.stacks.values()) == [[before]]
    before.pop()
    before.detach()


def test_the_gpu_is_described_without_a_context(stand_ins: Any) -> None:
    gpu = read_gpu()
    assert (gpu.name, gpu.compute_capability) == ("Stand-in Orin", "8.7")
    assert gpu.cuda == "driver 12.6, pycuda 12.6"
    assert stand_ins.cuda.retained == 0


def test_a_gpu_that_is_not_there_is_named(stand_ins: Any) -> None:
    with pytest.raises(EngineError, match="GPU 1 cannot be used: cuDeviceGet failed: invalid device ordinal"):
        CudaMemory.open(1)


def test_without_pycuda_the_message_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(EngineError, match=r"pycuda is not installed; build it with: CUDA_ROOT=.*nvcc.*aarch64 wheels"):
        CudaMemory.open()


def test_a_pycuda_without_its_driver_library_is_told_apart(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "pycuda.py").write_text(f"__path__ = [{str(tmp_path)!r}]")
    (tmp_path / "driver.py").write_text("raise ImportError('libcuda.so.1: cannot open shared object file')")
    code = """
from edge.engine.cuda_memory import read_gpu
from edge.errors import EngineError
try:
    read_gpu()
except EngineError as error:
    print(error)
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith("pycuda cannot be loaded (libcuda.so.1: cannot open shared object file); install")


def test_no_other_file_imports_pycuda_and_none_its_autoinit(repository: Path) -> None:
    files = [path for package in ("edge", "export", "train") for path in (repository / package).rglob("*.py")]
    importing = [path.name for path in files if "import pycuda" in path.read_text(encoding="utf-8")]
    assert importing == ["cuda_memory.py"]
    assert not any("import pycuda.autoinit" in path.read_text(encoding="utf-8") for path in files)
