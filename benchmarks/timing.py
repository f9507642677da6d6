"""Times of functions that are compared with each other."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import cv2
import torch
from threadpoolctl import threadpool_limits


def medians_ms(
    cases: Mapping[str, Callable[[], object]],
    repeats: int,
    clock_s: Callable[[], float] = time.perf_counter,
    in_a_row: int = 1,
) -> dict[str, float]:
    """Median duration of each case in milliseconds over `repeats` rounds, after one round that is not counted.

    Each round runs every case, so that a slow moment of the machine falls on all of them: `in_a_row` times, of which
    the second half counts. After a few, a case finds in the processor's caches what it left there, not what others did.
    `time.process_time` for `clock_s` leaves out the time that other programs had the processor.
    """
    durations_ms: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(repeats + 1):
        for name, case in cases.items():
            row_ms = [_duration_ms(case, clock_s) for _ in range(in_a_row)]
            if round_number > 0:
                durations_ms[name] += row_ms[in_a_row // 2 :]
    return {name: statistics.median(values) for name, values in durations_ms.items()}


def one_thread() -> AbstractContextManager[None]:
    """Keeps OpenCV, PyTorch and the libraries' linear algebra to one thread each."""
    return threads(1)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Lets OpenCV, PyTorch and the libraries' linear algebra use `count` threads each."""
    opencv_threads, torch_threads = cv2.getNumThreads(), torch.get_num_threads()
    try:
        with threadpool_limits(limits=count):
            cv2.setNumThreads(count)
            torch.set_num_threads(count)
            yield
    finally:
        cv2.setNumThreads(opencv_threads)
        torch.set_num_threads(torch_threads)


def _duration_ms(case: Callable[[], object], clock_s: Callable[[], float]) -> float:
    begin_s = clock_s()
    case()
    return (clock_s() - begin_s) * 1000
