"""The packages that the program imports: there, new enough, and working."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata

from edge.checks.distribution import Requirement, numbers_of, read_distribution
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host, run_program
from edge.checks.installing import apt_install, pip_install
from edge.checks.sound_server import restart_command

IMPORT_LIMIT_S = 60.0
"""ONNX Runtime from a cold and slow memory card."""
ASKS_THE_SOUND_SERVER, SOUND_LIMIT_S = "sounddevice", 15.0
"""Importing it starts PortAudio, which waits for a frozen sound server for ever."""
IMPORTING = "import sys, json, importlib; sys.path[:] = json.loads(sys.argv[1]); importlib.import_module(sys.argv[2])"
"""In a process of its own: a library built for another processor ends the process that loads it."""
SYSTEM_LIBRARIES = {"PortAudio": "libportaudio2", "sndfile": "libsndfile1"}
"""What the message of a failed import names -> the Debian package that holds it."""
NOT_DONE = "not done within"
OPENBLAS_HINT = "export OPENBLAS_CORETYPE=ARMV8"
"""NumPy's linear algebra takes some Arm processors for others, and dies of an illegal instruction."""


def check_packages(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Every package that the distribution says it needs."""
    for requirement in read_distribution().requirements:
        yield check_package(requirement, host)


def check_package(requirement: Requirement, host: Host) -> Finding:
    """One package, which another distribution may provide: onnxruntime is also in onnxruntime-gpu."""
    name, found = requirement.name, versions_of(requirement.name)
    fields = {"versions": found, "oldest": requirement.oldest}
    install = pip_install(host, requirement.text)
    if importlib.util.find_spec(name) is None:
        return Finding(name, False, "is not installed", install, fields)
    measured = ", ".join(f"{each} {version}" for each, version in found.items()) or "of unknown version"
    if found and all(numbers_of(version) < numbers_of(requirement.oldest) for version in found.values()):
        return Finding(name, False, f"{measured} is older than {requirement.oldest}", install, fields)
    failure = maybe_import_failure(name)
    if failure is not None:
        mend = _mend_of_failure(failure, requirement, host)
        return Finding(name, False, f"{measured} cannot be imported ({failure})", mend, fields)
    return Finding(name, True, f"{measured} (at least {requirement.oldest} is needed)", "", fields)


def mend_of_package(name: str, host: Host) -> str:
    """What mends the required package `name`, for a check that cannot do without it."""
    requirement = next(each for each in read_distribution().requirements if each.name == name)
    return check_package(requirement, host).mend


def versions_of(name: str) -> dict[str, str]:
    """The distribution called as the package, else those that provide it -> their versions."""
    if (version := maybe_version(name)) is not None:
        return {name: version}
    # Slow, and Python 3.10 does not know what every distribution provides.
    versions = {each: maybe_version(each) for each in metadata.packages_distributions().get(name, ())}
    return {each: version for each, version in versions.items() if version is not None}


def maybe_version(distribution: str) -> str | None:
    """Its version; None where it is not installed, or its metadata is damaged."""
    try:
        fields = metadata.metadata(distribution)
    except metadata.PackageNotFoundError:
        return None
    return next(iter(fields.get_all("Version") or ()), None)


def maybe_import_failure(name: str) -> str | None:
    """Why the package cannot be imported, in a line; None where it can be."""
    if importlib.util.find_spec(name) is None:
        return "is not installed"
    return _failure_in_another_process(name, json.dumps(sys.path))


@lru_cache(maxsize=32)
def _failure_in_another_process(name: str, search_path: str) -> str | None:
    limit_s = SOUND_LIMIT_S if name == ASKS_THE_SOUND_SERVER else IMPORT_LIMIT_S
    ended = run_program([sys.executable, "-c", IMPORTING, search_path, name], limit_s)
    if ended.code == 0:
        return None
    if ended.code is None:
        return f"{NOT_DONE} {limit_s:g} s"
    if ended.code < 0:
        return f"it ends the program by {signal.Signals(-ended.code).name}"
    lines = ended.output.strip().splitlines()
    return lines[-1].strip() if lines else f"exit status {ended.code}"


def _mend_of_failure(failure: str, requirement: Requirement, host: Host) -> str:
    if failure.startswith(NOT_DONE) and requirement.name == ASKS_THE_SOUND_SERVER:
        return restart_command(host)
    for library, package in SYSTEM_LIBRARIES.items():
        if library.lower() in failure.lower():
            return apt_install(host, package if "not found" in failure else f"--reinstall {package}")
    again = pip_install(host, "--force-reinstall", requirement.text)
    return f"{OPENBLAS_HINT}; if that does not help, {again}" if "SIGILL" in failure else again
