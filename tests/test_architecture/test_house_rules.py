"""The few rules of CONTRIBUTING.md that no linter holds."""

import importlib
import re
import sys
from pathlib import Path

import pytest

VAGUE_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}


def test_no_test_folder_can_hide_a_package(repository: Path) -> None:
    assert list((repository / "tests").rglob("__init__.py")) == []


def test_every_file_is_named_for_its_noun_and_stays_readable(repository: Path) -> None:
    files = [
        path for package in ("edge", "firmware_bridge", "train", "export") for path in _sources(repository / package)
    ]
    assert [path.name for path in files if path.name in VAGUE_NAMES] == []
    assert [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_the_newest_version_of_the_changelog_is_the_projects(repository: Path) -> None:
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == _project_version(repository)


def test_no_recording_is_part_of_the_source_tree(repository: Path) -> None:
    folders = ("edge", "firmware_bridge", "train", "export", "models", "tests", "tools", "benchmarks", "docs")
    files = [path for folder in folders for path in (repository / folder).rglob("*")]
    assert [path for path in files if path.suffix.lower() in {".wav", ".flac", ".mp3"}] == []


def test_each_dependency_is_pinned_once_per_python(repository: Path) -> None:
    pinned = {name for name, _, _ in _pins(repository)}
    assert {_name(requirement) for requirement in _direct_requirements(repository)} <= pinned | {"respire-edge"}


def test_pins_hold_exact_versions_and_no_registry(repository: Path) -> None:
    lines = (repository / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#") and not _PIN.match(line)] == []


@pytest.mark.parametrize("library", ["torch", "torchvision"])
def test_the_pin_refuses_a_build_of_another_origin(repository: Path, library: str) -> None:
    specifiers = pytest.importorskip("packaging.specifiers")
    operator, version = next((operator, version) for name, operator, version in _pins(repository) if name == library)
    specifier = specifiers.SpecifierSet(f"{operator}{version}")
    assert specifier.contains(version)
    assert not specifier.contains(f"{version}+cpu")


_PIN = re.compile(r"^([a-z0-9-]+)(===?)([0-9][0-9a-z.!]*)( ; .+)?$")


def _pins(repository: Path) -> list[tuple[str, str, str]]:
    lines = (repository / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [(found[1], found[2], found[3]) for found in map(_PIN.match, lines) if found]


def _direct_requirements(repository: Path) -> list[str]:
    # pytest brings tomli to Python 3.10, which has no tomllib
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    project = toml.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(item for extra in project["optional-dependencies"].values() for item in extra)]


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0]


def _project_version(repository: Path) -> str:
    found = re.search(
        r'^version = "([^"]+)"', (repository / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None
    return found[1]


def _sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))
