"""`respire-edge doctor`: what is in order on this machine, what is not, and what mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import TextIO

from edge.bundle import Bundle, find_bundle, list_bundles, load_bundle
from edge.engine.cuda_memory import BUILD_PYCUDA
from edge.engine.engine import Engine, open_engine
from edge.engine.golden import check_golden, load_golden
from edge.errors import EdgeError
from edge.profiles import load_profile
from edge.terminal import shown_text

ALL_IN_ORDER, SOMETHING_BROKEN = 0, 2
MARKS, PLAIN_MARKS = ("✓", "✗"), ("ok  ", "FAIL")
"""In order and not; the second pair is for outputs that cannot show the first."""
PACKAGES = ("numpy", "onnxruntime", "soundfile", "sounddevice")
GPU_PACKAGES = {
    "tensorrt": "on a Jetson: sudo apt install python3-libnvinfer; elsewhere: pip install tensorrt",
    "pycuda": BUILD_PYCUDA,
}
"""What only TensorRT engines need -> how it is installed."""


@dataclass(frozen=True)
class DoctorOptions:
    """What the command line asks for."""

    engine: str | None
    """Through which the golden inputs are run; None: they are not."""
    model: Path | None
    device: str | None
    """A stethoscope whose model alone is looked at; None: every model."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    measured: str
    mend: str = ""
    """A command, or what else a person can do; empty where it is in order."""


def doctor(options: DoctorOptions, out: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Write a line for each finding to `out`, by default standard output, as soon as it is known.

    Returns the exit code: 0 where everything is in order, else 2. Raises ProfileError for an unknown stethoscope.
    """
    out = out or sys.stdout
    if options.device is not None:
        load_profile(options.device)
    in_order = True
    gpu_packages = (check_gpu_package(name, needed=options.engine == "tensorrt") for name in GPU_PACKAGES)
    for finding in chain((check() for check in CHECKS), gpu_packages, check_models(options, environ)):
        in_order &= finding.ok
        print(finding_line(finding, out.encoding), file=out, flush=True)
    return ALL_IN_ORDER if in_order else SOMETHING_BROKEN


def finding_line(finding: Finding, encoding: str | None) -> str:
    """One line for people; a finding that is not in order ends with what mends it."""
    marks = MARKS if (encoding or "").lower().startswith("utf") else PLAIN_MARKS
    mend = "" if finding.ok else f"; to mend it: {finding.mend}"
    return f"{marks[not finding.ok]} {shown_text(f'{finding.name}: {finding.measured}{mend}', encoding)}"


def finding_from_error(name: str, error: EdgeError) -> Finding:
    """What an error says is wrong, and after its first semicolon what to do."""
    measured, _, mend = str(error).partition("; ")
    return Finding(name, False, measured, mend)


def check_python() -> Finding:
    """Which Python runs this, and on what."""
    return Finding("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def check_package(name: str) -> Finding:
    """The version of a package, which another distribution may provide: onnxruntime is also in onnxruntime-gpu."""
    # By its own name first: Python 3.10 does not know what every distribution provides.
    versions = {each: _maybe_version(each) for each in (name, *metadata.packages_distributions().get(name, ()))}
    found = [f"{each} {version}" for each, version in versions.items() if version is not None]
    if not found:
        return Finding(name, False, "is not installed", f"pip install {name}")
    return Finding(name, True, ", ".join(found))


def check_gpu_package(name: str, *, needed: bool) -> Finding:
    """Of a package that most machines do without; its absence is a fault only where it is `needed`."""
    if version := _maybe_version(name):
        return Finding(name, True, f"{name} {version}")
    if importlib.util.find_spec(name) is not None:
        return Finding(name, True, "is installed, and does not tell its version")
    if needed:
        return Finding(name, False, "is not installed", GPU_PACKAGES[name])
    return Finding(name, True, "is not installed; only TensorRT engines need it")


def check_models(options: DoctorOptions, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Each bundle: whether its files are the ones that were packed, what runs it, and whether that answers alike."""
    try:
        folders = _folders(options, environ)
    except EdgeError as error:
        yield finding_from_error("model", error)
        return
    for folder in folders:
        yield from _check_model(folder, options, environ)


CHECKS: tuple[Callable[[], Finding], ...] = (check_python, *(partial(check_package, name) for name in PACKAGES))
"""Of the machine, in the order in which they are made; those of the models follow."""


def _maybe_version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _folders(options: DoctorOptions, environ: Mapping[str, str]) -> list[Path]:
    if options.device is None:
        return list_bundles(options.model, environ)
    return [find_bundle(load_profile(options.device), options.model, environ)]


def _check_model(folder: Path, options: DoctorOptions, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        bundle = load_bundle(folder)
    except EdgeError as error:
        yield finding_from_error(f"model {folder.name}", error)
        return
    yield Finding(f"model {bundle.model_id}", True, f"{folder}: {', '.join(bundle.files)} as packed")
    yield from _check_engine(bundle, options, environ)


def _check_engine(bundle: Bundle, options: DoctorOptions, environ: Mapping[str, str]) -> Iterator[Finding]:
    name, unused = f"engine for {bundle.model_id}", list[str]()
    try:
        openers = _openers(bundle, options.engine or "auto", unused.append, environ)
    except EdgeError as error:
        yield finding_from_error(name, error)
        return
    for open_it in openers:
        try:
            with open_it() as engine:
                yield from (finding_from_error(name, EdgeError(note.removeprefix("respire-edge: "))) for note in unused)
                yield Finding(name, True, f"{engine.name}, from {engine.model.path.name}")
                if options.engine is not None:
                    yield _golden_finding(engine, bundle)
        except EdgeError as error:
            yield finding_from_error(name, error)


def _openers(
    bundle: Bundle, engine: str, tell: Callable[[str], None], environ: Mapping[str, str]
) -> list[Callable[[], Engine]]:
    """What opens each engine to be looked at: of TensorRT every one that was built, of others the one in use."""
    if engine != "tensorrt":
        return [partial(open_engine, bundle, engine, tell=tell, environ=environ)]
    from edge.engine.plan_source import engines_folder, plan_exists, plan_sources
    from edge.engine.tensorrt import open_tensorrt_engine

    folder, sources = engines_folder(environ), plan_sources(bundle)
    # Where none was built, opening the fastest says how it is.
    built = [source for source in sources if plan_exists(source.plan_path(folder))] or sources[:1]
    return [partial(open_tensorrt_engine, source, folder) for source in built]


def _golden_finding(engine: Engine, bundle: Bundle) -> Finding:
    name = f"golden inputs of {bundle.model_id}"
    try:
        outcome = check_golden(engine, load_golden(bundle, engine.model.path.name))
    except EdgeError as error:
        return finding_from_error(name, error)
    measured = (
        f"{outcome.images} images through {engine.name}, largest difference of a probability "
        f"{outcome.max_difference:.4f} ({outcome.tolerance} is allowed), {outcome.changed_decisions} decisions changed"
    )
    return Finding(name, outcome.agrees, measured, "" if outcome.agrees else _remedy(engine, bundle))


def _remedy(engine: Engine, bundle: Bundle) -> str:
    if engine.name.startswith("tensorrt"):
        from edge.engine.plan_source import plan_source

        return f"{plan_source(bundle, engine.model.precision).build_command} --force"
    return "restore the bundle; if that does not help, pip install --force-reinstall onnxruntime"
