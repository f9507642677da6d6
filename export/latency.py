"""How long one image takes, with the machine it took so long on."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_WARM_UP = 5
_PERCENTILES = (50, 95, 99)


def latency_ms(infer: Callable[[], object], repeats: int) -> dict[str, float]:
    """p50, p95 and p99 of `repeats` calls in milliseconds, after a few calls that do not count."""
    for _ in range(_WARM_UP):
        infer()
    times_ms = []
    for _ in range(repeats):
        started = time.perf_counter()
        infer()
        times_ms.append((time.perf_counter() - started) * 1e3)
    return {f"p{q}": round(float(np.percentile(times_ms, q)), 2) for q in _PERCENTILES}


def machine() -> dict[str, Any]:
    """The processor as it calls itself, and whether it multiplies 8-bit integers in hardware (x86's VNNI)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return {
        "processor": named.get("model name", platform.processor() or platform.machine()),
        "vnni": "vnni" in named.get("flags", ""),
    }
