"""The memory of the running process."""

import os
from pathlib import Path


def resident_mb() -> float:
    """The memory of the running process that is in use now (Linux: proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
