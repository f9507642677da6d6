"""What this process has taken: memory, processor time, and the time since it was started. Linux's proc(5)."""

from __future__ import annotations

import os
import re
import time

from edge.checks.host import Host


def maybe_resident_mb(host: Host) -> float | None:
    """Memory that is in use now, in millions of bytes; None off Linux."""
    return _maybe_status_mb("VmRSS", host)


def maybe_peak_mb(host: Host) -> float | None:
    """The most that ever was; None off Linux."""
    return _maybe_status_mb("VmHWM", host)


def maybe_age_s(host: Host) -> float | None:
    """Seconds since this process was started, to a hundredth; None off Linux."""
    # The name, in parentheses, may hold blanks; the start is the 20th field after it, in ticks since the machine's own.
    fields = (host.text("proc/self/stat") or "").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _maybe_status_mb(key: str, host: Host) -> float | None:
    found = re.search(rf"^{key}:\s+(\d+) kB", host.text("proc/self/status") or "", re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None
