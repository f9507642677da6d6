"""The machine and the versions that figures belong to."""

import importlib.metadata
import os
import platform
from pathlib import Path

from benchmarks.report import Table

LIBRARIES = ("numpy", "torch", "onnxruntime", "soundfile", "librosa", "scipy", "opencv-python-headless", "nlpaug")


def describe_machine() -> Table:
    """Processor, memory, system and versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    rows = [
        ("processor", f"{_processor()} ({platform.machine()}), {len(os.sched_getaffinity(0))} cores usable"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}"),
        ("libraries", versions),
    ]
    note = "Load of this machine while measuring (processes that wanted a core, mean over the last minute): "
    return Table("Machine", ("part", "what"), rows, f"{note}{os.getloadavg()[0]:.1f}.")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else "unknown"
