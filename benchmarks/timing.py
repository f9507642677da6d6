"""Times of functions that are compared with each other."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import cv2
from threadpoolctl import threadpool_limits


def medians_ms(
    cases: Mapping[str, Callable[[], object]], repeats: int, clock_s: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median duration of each case in milliseconds over `repeats` rounds, after one round that is not counted.

    Each round runs every case once, so that a slow moment of the machine falls on all of them. `time.process_time` for
    `clock_s` leaves out the time that other programs had the processor.
    """
    durations_ms: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(repeats + 1):
        for name, case in cases.items():
            begin_s = clock_s()
            case()
            if round_number > 0:
                durations_ms[name].append((clock_s() - begin_s) * 1000)
    return {name: statistics.median(values) for name, values in durations_ms.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps OpenCV and the libraries' linear algebra to one thread each."""
    opencv_threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        with threadpool_limits(limits=1):
            yield
    finally:
        cv2.setNumThreads(opencv_threads)
