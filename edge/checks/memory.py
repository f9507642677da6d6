"""How much memory the program may still take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host

NEEDED_BYTES = 200_000_000
"""`listen` keeps under 120 MB, and a library may ask for more while it loads."""
WHO_HAS_IT = "ps -eo rss,comm --sort=-rss | head shows what holds it; end what is not needed"


@dataclass(frozen=True)
class Memory:
    """Of the machine, or of the part that a container or a service may use."""

    total_bytes: int
    available_bytes: int


def check_memory(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Whether there is enough for the program."""
    memory = maybe_memory(host)
    if memory is None:
        yield Finding("memory", True, "unknown on this system")
        return
    measured = f"{memory.available_bytes / 1e9:.1f} of {memory.total_bytes / 1e9:.1f} GB available"
    fields = {"available_bytes": memory.available_bytes, "total_bytes": memory.total_bytes, "min_bytes": NEEDED_BYTES}
    if memory.available_bytes < NEEDED_BYTES:
        yield Finding("memory", False, f"{measured}, less than {NEEDED_BYTES / 1e9:.1f} GB", WHO_HAS_IT, fields)
    else:
        yield Finding("memory", True, measured, "", fields)


def maybe_memory(host: Host) -> Memory | None:
    """By the kernel (proc(5)) and the limit of the control group (cgroups(7), version 2); None off Linux."""
    found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", host.text("proc/meminfo") or "", re.MULTILINE))
    if len(found) < 2:
        return None
    total, available = int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024
    limit, used = host.number("sys/fs/cgroup/memory.max"), host.number("sys/fs/cgroup/memory.current")
    if limit is None or used is None or limit >= total:
        return Memory(total, available)
    return Memory(limit, min(available, max(limit - used, 0)))
