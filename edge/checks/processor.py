"""The processor, and how busy it is."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host


def check_processor(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """What it is. A machine that is slow is no fault; `respire-edge bench` says how slow."""
    fields = {"processor": processor_name(host), "cores": usable_cores(), "load_1min": maybe_load(host)}
    load = "" if fields["load_1min"] is None else f", load {fields['load_1min']:.1f}"
    yield Finding("processor", True, f"{fields['processor']}, {fields['cores']} cores usable{load}", "", fields)


def processor_name(host: Host) -> str:
    """As the kernel calls it, or on a board, as the device tree calls the board."""
    lines = (host.text("proc/cpuinfo") or "").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    board = host.text("proc/device-tree/model")
    return board or (names[0] if names else platform.processor() or platform.machine())


def usable_cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def maybe_load(host: Host) -> float | None:
    """Processes that wanted a core, mean over the last minute (proc(5)); None off Linux."""
    try:
        return float((host.text("proc/loadavg") or "").split()[0])
    except (IndexError, ValueError):
        return None
