"""What only a Jetson has, and what TensorRT engines need: Jetson Linux, CUDA, TensorRT, pycuda, the GPU."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator

from edge.checks.finding import DoctorOptions, Finding, finding_from_error
from edge.checks.host import TEGRA_RELEASE, Host
from edge.checks.installing import apt_install, pip_install
from edge.checks.packages import maybe_import_failure, maybe_version
from edge.errors import EngineError

OLDEST_RELEASE = (36, 4)
"""JetPack 6.1, the first with TensorRT 10.3."""
JETPACKS = {(36, 4): "6.1 to 6.2.1", (36, 5): "6.2.2", (38, 2): "7.0", (38, 4): "7.1", (39, 1): "7.2", (39, 2): "7.2"}
"""Jetson Linux -> JetPack, where the package nvidia-jetpack does not say it (jetson_stats, jetson-containers)."""
DPKG = "var/lib/dpkg/status"
FLASH = "sdkmanager --cli on another computer, which this one is connected to, installs JetPack 6.2"
TENSORRT_BINDING = "usr/lib/python3*/dist-packages/tensorrt/__init__.py"
CUDA_VERSION = "usr/local/cuda/version.json"


def check_jetson(host: Host, options: DoctorOptions) -> Iterator[Finding]:
    """Everything; off a Jetson a fault only where TensorRT was asked for."""
    needed = options.engine == "tensorrt"
    yield check_release(host)
    yield check_cuda(host, needed)
    yield check_tensorrt(host, needed)
    yield check_pycuda(host, needed)
    yield check_gpu(host, needed)


def check_release(host: Host) -> Finding:
    """Jetson Linux, and the JetPack that it belongs to."""
    found = re.search(r"R(\d+) \(release\), REVISION: (\d+)([0-9.]*)", host.text(TEGRA_RELEASE) or "")
    if not host.is_jetson:
        return Finding("Jetson Linux", True, "not a Jetson")
    if found is None:
        measured = f"/{TEGRA_RELEASE} says no release"
        return Finding("Jetson Linux", False, measured, f"{host.sudo}apt install --reinstall nvidia-l4t-core")
    release = (int(found[1]), int(found[2]))
    jetpack = _package_version("nvidia-jetpack", host) or JETPACKS.get(release, "unknown")
    text = f"R{found[1]}.{found[2]}{found[3]}"
    fields = {"release": text, "jetpack": jetpack, "board": host.text("proc/device-tree/model")}
    if release < OLDEST_RELEASE:
        oldest = ".".join(map(str, OLDEST_RELEASE))
        return Finding("Jetson Linux", False, f"{text} is older than R{oldest} (JetPack 6.1)", FLASH, fields)
    return Finding("Jetson Linux", True, f"{text}, JetPack {jetpack}", "", fields)


def check_cuda(host: Host, needed: bool) -> Finding:
    """The toolkit, with which pycuda is built; once that is there, its absence is no fault."""
    text = host.text(CUDA_VERSION)
    if text is None:
        needed = needed and importlib.util.find_spec("pycuda") is None
        mend = apt_install(host, "nvidia-jetpack" if host.is_jetson else "cuda-toolkit")
        return _absent("CUDA", f"no /{CUDA_VERSION}", mend, needed, host)
    try:
        version = str(json.loads(text)["cuda"]["version"])
    except (KeyError, TypeError, ValueError):
        version = "of unknown version"
    return Finding("CUDA", True, version, "", {"version": version})


def check_tensorrt(host: Host, needed: bool) -> Finding:
    """The Python module, which comes with JetPack for the system's Python alone."""
    if importlib.util.find_spec("tensorrt") is None:
        measured, mend = _why_no_tensorrt(host)
        return _absent("tensorrt", measured, mend, needed, host)
    return _imported("tensorrt", apt_install(host, "--reinstall python3-libnvinfer"), needed, host)


def check_pycuda(host: Host, needed: bool) -> Finding:
    """pycuda, which is built on the device."""
    from edge.engine.pycuda_build import BUILD_PYCUDA

    if importlib.util.find_spec("pycuda") is None:
        return _absent("pycuda", "is not installed", BUILD_PYCUDA, needed, host)
    return _imported("pycuda", BUILD_PYCUDA, needed, host, module="pycuda.driver")


def check_gpu(host: Host, needed: bool) -> Finding:
    """What CUDA reaches; asked only where both libraries can be used."""
    for check in (check_tensorrt, check_pycuda):
        library = check(host, True)
        if not library.ok:
            return _absent("GPU", f"not asked, without {library.name}", library.mend, needed, host)
    try:
        from edge.engine.machine import this_machine

        machine = this_machine()
    except EngineError as error:
        found = finding_from_error("GPU", error)
        mend = found.mend or "nvidia-smi says what the driver knows"
        return found if needed or host.is_jetson else Finding("GPU", True, found.measured, mend)
    measured = f"{machine.gpu}, compute capability {machine.compute_capability}, {machine.cuda}"
    fields = {"gpu": machine.gpu, "compute_capability": machine.compute_capability, "cuda": machine.cuda}
    return Finding("GPU", True, measured, "", fields)


def _absent(name: str, measured: str, mend: str, needed: bool, host: Host) -> Finding:
    if needed:
        return Finding(name, False, measured, mend)
    return Finding(name, True, f"{measured}; only TensorRT engines need it", mend if host.is_jetson else "")


def _imported(name: str, mend: str, needed: bool, host: Host, module: str = "") -> Finding:
    version = maybe_version(name)
    fields = {"version": version}
    failure = maybe_import_failure(module or name)
    measured = f"{name} {version}" if version else "is installed, and does not tell its version"
    if failure is None:
        return Finding(name, True, measured, "", fields)
    return Finding(name, not (needed or host.is_jetson), f"{measured}, cannot be imported ({failure})", mend, fields)


def _why_no_tensorrt(host: Host) -> tuple[str, str]:
    """What is wrong, and what mends it: the module may be there, for another Python or outside of this environment."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    bindings = list(host.files(TENSORRT_BINDING))
    if bindings:
        mend = "/usr/bin/python3 -m venv --system-site-packages ~/respire-edge, and install respire-edge there"
        return f"is at /{bindings[0]}, which this Python {version} does not see", mend
    if host.is_jetson:
        return "is not installed", apt_install(host, "python3-libnvinfer")
    return (
        "is not installed",
        f"on a Jetson: sudo apt install python3-libnvinfer; elsewhere: {pip_install(host, 'tensorrt')}",
    )


def _package_version(package: str, host: Host) -> str | None:
    """Of an installed Debian package (dpkg's status file)."""
    found = re.search(
        rf"^Package: {package}\nStatus: install ok installed\n(?:.+\n)*?Version: (\S+)",
        host.text(DPKG) or "",
        re.MULTILINE,
    )
    return found[1] if found else None
