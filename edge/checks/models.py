"""The models: whether their files are the ones that were packed, what runs them, and whether that answers alike."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.checks.distribution import PACKAGE_FOLDER, read_distribution
from edge.checks.finding import DoctorOptions, Finding, finding_from_error
from edge.checks.host import Host
from edge.checks.installing import pip_install
from edge.checks.packages import maybe_import_failure, mend_of_package
from edge.errors import EdgeError

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.engine.engine import Engine

NEEDED = ("numpy", "onnxruntime")
COMMANDS = ("python -m ", "pip install", "apt install", "give --model", "respire-edge ")
"""What a remedy holds that can be typed as it is."""


def check_models(host: Host, options: DoctorOptions) -> Iterator[Finding]:
    """Each bundle, the engine that would run it and, where asked for, its answers to the golden inputs."""
    broken = [name for name in NEEDED if maybe_import_failure(name) is not None]
    if "numpy" in broken:
        yield _not_looked_at("models", broken, host)
        return
    yield from _check_variable(host)
    try:
        folders = _folders(host, options)
    except EdgeError as error:
        yield finding_from_error("model", error)
        return
    for folder in folders:
        yield from _check_model(folder, host, options, broken)


def _check_variable(host: Host) -> Iterator[Finding]:
    """A folder that is named and not there is passed over by every other command."""
    from edge.bundle import MODELS_VARIABLE

    named = host.environ.get(MODELS_VARIABLE)
    if named and not Path(named).is_dir():
        measured, mend = f"{MODELS_VARIABLE}={named}: no such folder", f"unset {MODELS_VARIABLE}"
        yield Finding("models folder", False, measured, f"{mend}, or name one that holds bundles", {"path": named})


def _folders(host: Host, options: DoctorOptions) -> list[Path]:
    from edge.bundle import find_bundle, list_bundles
    from edge.profiles import load_profile

    if options.device is None:
        return list_bundles(options.model, host.environ)
    return [find_bundle(load_profile(options.device), options.model, host.environ)]


def _check_model(folder: Path, host: Host, options: DoctorOptions, broken: list[str]) -> Iterator[Finding]:
    from edge.bundle import load_bundle

    try:
        bundle = load_bundle(folder)
    except EdgeError as error:
        yield _broken_bundle(f"model {folder.name}", error, folder, host)
        return
    fields = {
        "model": bundle.model_id,
        "path": str(folder),
        "files": list(bundle.files),
        "device": bundle.device,
        "operating_points": list(bundle.operating_points.points),
        "default_operating_point": bundle.operating_points.default,
    }
    measured = f"{folder}: {', '.join(bundle.files)} as packed{_points_words(bundle)}"
    yield Finding(f"model {bundle.model_id}", True, measured, "", fields)
    if broken and options.engine != "tensorrt":
        yield _not_looked_at(f"engine for {bundle.model_id}", broken, host)
        return
    yield from _check_engine(bundle, host, options)


def _points_words(bundle: Bundle) -> str:
    default = bundle.operating_points.default
    named = (f"{name} (default)" if name == default else name for name in bundle.operating_points.points)
    return f"; operating points {', '.join(named)}" if default is not None else ""


def _check_engine(bundle: Bundle, host: Host, options: DoctorOptions) -> Iterator[Finding]:
    name, unused = f"engine for {bundle.model_id}", list[str]()
    try:
        openers = _openers(bundle, options.engine or "auto", unused.append, host)
    except EdgeError as error:
        yield _broken_bundle(name, error, bundle.folder, host)
        return
    for open_it in openers:
        try:
            with open_it() as engine:
                yield from (finding_from_error(name, EdgeError(note.removeprefix("respire-edge: "))) for note in unused)
                fields = {"model": bundle.model_id, "engine": engine.name, "file": engine.model.path.name}
                yield Finding(name, True, f"{engine.name}, from {engine.model.path.name}", "", fields)
                if options.engine is not None:
                    yield _golden_finding(engine, bundle, host)
        except EdgeError as error:
            yield _broken_bundle(name, error, bundle.folder, host)


def _openers(bundle: Bundle, engine: str, tell: Callable[[str], None], host: Host) -> list[Callable[[], Engine]]:
    """What opens each engine to be looked at: of TensorRT every one that was built, of others the one in use."""
    from edge.engine.engine import open_engine

    if engine != "tensorrt":
        return [partial(open_engine, bundle, engine, tell=tell, environ=host.environ)]
    from edge.engine.engines_folder import engines_folder
    from edge.engine.plan_source import plan_exists, plan_sources
    from edge.engine.tensorrt import open_tensorrt_engine

    folder, sources = engines_folder(host.environ), plan_sources(bundle)
    # Where none was built, opening the fastest says how it is.
    built = [source for source in sources if plan_exists(source.plan_path(folder))] or sources[:1]
    return [partial(open_tensorrt_engine, source, folder) for source in built]


def _golden_finding(engine: Engine, bundle: Bundle, host: Host) -> Finding:
    from edge.engine.golden import check_golden, load_golden

    name = f"golden inputs of {bundle.model_id}"
    try:
        outcome = check_golden(engine, load_golden(bundle, engine.model.path.name))
    except EdgeError as error:
        return _broken_bundle(name, error, bundle.folder, host)
    measured = (
        f"{outcome.images} images through {engine.name}, largest difference of a probability "
        f"{outcome.max_difference:.4f} ({outcome.tolerance} is allowed), {outcome.changed_decisions} decisions changed"
    )
    fields = {
        "model": bundle.model_id,
        "engine": engine.name,
        "images": outcome.images,
        "max_difference": outcome.max_difference if outcome.max_difference < float("inf") else None,
        "tolerance": outcome.tolerance,
        "changed_decisions": outcome.changed_decisions,
    }
    mend = "" if outcome.agrees else _mend_of_answers(engine, bundle, host)
    return Finding(name, outcome.agrees, measured, mend, fields)


def _mend_of_answers(engine: Engine, bundle: Bundle, host: Host) -> str:
    if engine.name.startswith("tensorrt"):
        from edge.engine.plan_source import plan_source

        return f"{plan_source(bundle, engine.model.precision).build_command} --force"
    reinstall = pip_install(host, "--force-reinstall", "onnxruntime")
    return f"restore the bundle: {_restore_command(bundle.folder, host)}; if that does not help, {reinstall}"


def _broken_bundle(name: str, error: EdgeError, folder: Path, host: Host) -> Finding:
    """What the error says, with the command that brings the bundle back where it names none."""
    found = finding_from_error(name, error)
    if any(command in found.mend for command in COMMANDS):
        return found
    if "use one of" in found.mend:
        return Finding(name, False, found.measured, f"{found.mend}: respire-edge doctor --engine auto")
    command = _restore_command(folder, host)
    return Finding(name, False, found.measured, f"{found.mend}: {command}" if found.mend else command)


def _restore_command(folder: Path, host: Host) -> str:
    """For a bundle of the checkout or of the installed program; of another one, what says which file was changed."""
    absolute = folder.resolve()
    checkout = PACKAGE_FOLDER.parent
    if absolute.is_relative_to(PACKAGE_FOLDER):
        wheel = f"respire_edge-{read_distribution().version}-py3-none-any.whl"
        return pip_install(host, "--force-reinstall", "--no-deps", wheel)
    if absolute.is_relative_to(checkout) and (checkout / ".git").exists():
        return shlex.join(["git", "-C", str(checkout), "checkout", "--", str(absolute.relative_to(checkout))])
    return f"(cd {shlex.quote(str(folder))} && sha256sum --quiet -c SHA256SUMS) names what was changed"


def _not_looked_at(name: str, broken: list[str], host: Host) -> Finding:
    mend = "; ".join(mend_of_package(package, host) for package in broken)
    return Finding(name, False, f"not looked at: {' and '.join(broken)} cannot be imported", mend)
