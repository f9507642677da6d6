"""The four folders of the program, whose names are general enough to be somebody else's too."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from edge.checks.distribution import NAME, PACKAGE_FOLDER, read_distribution
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host
from edge.checks.installing import pip_install, pip_uninstall

FOLDERS = ("edge", "train", "export", "firmware_bridge")


def check_folders(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Whether all four are imported from where this one is, and whether the program is installed once."""
    home = PACKAGE_FOLDER.parent
    places = {name: maybe_place(name) for name in FOLDERS}
    version = read_distribution().version
    fields = {"version": version, "places": {name: str(place) if place else None for name, place in places.items()}}
    strangers = {name: place for name, place in places.items() if place is not None and place.parent != home}
    missing = [name for name, place in places.items() if place is None]
    if strangers:
        name, place = next(iter(strangers.items()))
        measured = ", ".join(f"{name} is {place}, not {home / name}" for name, place in strangers.items())
        yield Finding("folders", False, measured, _mend_of_stranger(name, place, host), fields)
    elif missing:
        measured = f"{', '.join(missing)} cannot be found beside {PACKAGE_FOLDER}"
        yield Finding("folders", False, measured, _install_again(host, version), fields)
    else:
        yield Finding("folders", True, f"{NAME} {version}, {', '.join(FOLDERS)} in {home}", "", fields)
    yield from _check_installations(host)


def maybe_place(name: str) -> Path | None:
    """What `import name` would take: a package's folder or a file; None where it finds no package."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if (
        spec is None or spec.origin is None
    ):  # without an origin: a folder without __init__.py, which is no package of ours
        return None
    path = Path(spec.origin).resolve()
    return path.parent if path.name == "__init__.py" else path


def _mend_of_stranger(name: str, place: Path, host: Host) -> str:
    provider = _provider_of(name)
    if provider is not None:
        return f"{pip_uninstall(host, provider)} && {_install_again(host, read_distribution().version)}"
    return f"{shlex.join(['mv', str(place), str(place.parent / f'my_{place.name}')])}, or start it from another folder"


def _check_installations(host: Host) -> Iterator[Finding]:
    """Where two are installed, which of them is taken depends on from where it is started."""
    places = sorted({str(Path(str(each.locate_file(""))).resolve()) for each in metadata.distributions(name=NAME)})
    if len(places) > 1:
        mend = f"{pip_uninstall(host, NAME)}, once for each but one"
        yield Finding("installations", False, f"{len(places)}, in {' and '.join(places)}", mend, {"places": places})


def _provider_of(name: str) -> str | None:
    others = set(metadata.packages_distributions().get(name, ())) - {NAME}
    return min(others) if others else None


def _install_again(host: Host, version: str) -> str:
    return pip_install(host, "--force-reinstall", "--no-deps", f"respire_edge-{version}-py3-none-any.whl")
