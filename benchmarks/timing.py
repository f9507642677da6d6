"""Times of functions that are compared with each other."""

import statistics
import time
from collections.abc import Callable, Mapping


def medians_ms(cases: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median duration of each case in milliseconds over `repeats` rounds, after one round that is not counted.

    Each round runs every case once, so that a slow moment of the machine falls on all of them.
    """
    durations_ms: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(repeats + 1):
        for name, case in cases.items():
            begin_s = time.perf_counter()
            case()
            if round_number > 0:
                durations_ms[name].append((time.perf_counter() - begin_s) * 1000)
    return {name: statistics.median(values) for name, values in durations_ms.items()}
