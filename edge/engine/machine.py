"""What a TensorRT plan is bound to: it runs on the kind of machine that built it, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.engine.cuda_memory import read_gpu
from edge.errors import EngineError

OLDEST_TENSORRT = (10, 3)
"""JetPack 6.1 to 6.2. Older ones parse explicit quantisation less completely, and are on no supported Jetson."""
TEGRA_RELEASE = Path("/etc/nv_tegra_release")
"""Jetson Linux's own file, such as `# R36 (release), REVISION: 4.3, GCID: …`; containers get it from the host."""
NOT_A_JETSON = "none"

_RELEASE = re.compile(r"R(\d+) \(release\), REVISION: ([0-9.]+)")


@dataclass(frozen=True)
class Machine:
    """The part of a plan's key that says where it was built."""

    gpu: str
    compute_capability: str
    tensorrt: str
    cuda: str
    l4t: str


def this_machine() -> Machine:
    """What runs here. Raises EngineError where TensorRT, pycuda or a GPU is missing."""
    version = tensorrt_version()
    gpu = read_gpu()
    return Machine(gpu.name, gpu.compute_capability, version, gpu.cuda, l4t_release(TEGRA_RELEASE))


def tensorrt_version() -> str:
    """TensorRT's full version, such as `10.3.0`. Raises EngineError where it is missing or older than supported."""
    try:
        import tensorrt
    except ModuleNotFoundError as error:
        raise EngineError(
            "TensorRT's Python module is not installed; on a Jetson: sudo apt install python3-libnvinfer, and use the "
            "system's Python or a venv made with --system-site-packages; elsewhere: pip install tensorrt"
        ) from error
    except ImportError as error:
        raise EngineError(f"TensorRT cannot be loaded ({error}); install the libraries of the same version") from error
    version: str = tensorrt.__version__
    if major_minor(version) < OLDEST_TENSORRT:
        oldest = ".".join(map(str, OLDEST_TENSORRT))
        raise EngineError(
            f"TensorRT {version} is older than {oldest}; update to JetPack 6.1 or newer, or use --engine onnx"
        )
    return version


def major_minor(version: str) -> tuple[int, int]:
    """(10, 3) of `10.3.0.30`. Raises EngineError for a text that begins with no such pair."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise EngineError(
            f"TensorRT calls its version {version!r}, which names no major and minor number; reinstall it"
        )
    return int(found[1]), int(found[2])


def l4t_release(path: Path) -> str:
    """The release of Jetson Linux in its `path`, such as `R36.4.3`; `none` off a Jetson."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return NOT_A_JETSON
    found = _RELEASE.search(text)
    return f"R{found[1]}.{found[2]}" if found else text.strip().splitlines()[0] if text.strip() else NOT_A_JETSON
