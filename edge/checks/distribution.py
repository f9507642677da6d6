"""What the program says of itself: its version, the Pythons and the packages that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edge.errors import SetupError

NAME = "respire-edge"
PACKAGE_FOLDER = Path(__file__).resolve().parent.parent
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<oldest>[0-9.]+)")
_TESTED = re.compile(r"Programming Language :: Python :: (3\.\d+)")


@dataclass(frozen=True)
class Requirement:
    """A package and the oldest version that will do."""

    name: str
    oldest: str

    @property
    def text(self) -> str:
        """As pip takes it."""
        return f"{self.name}>={self.oldest}"


@dataclass(frozen=True)
class Distribution:
    """What a wheel's metadata says."""

    version: str
    oldest_python: str
    tested_pythons: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    """Of the program itself, without those of its extras."""


def read_distribution(package_folder: Path = PACKAGE_FOLDER) -> Distribution:
    """Of the checkout that `package_folder` lies in, else of what is installed. Raises SetupError where neither is."""
    project = package_folder.parent / "pyproject.toml"
    try:
        text = project.read_text(encoding="utf-8")
    except OSError:
        return _installed()
    return _from_project(text) if f'name = "{NAME}"' in text else _installed()


def numbers_of(version: str) -> tuple[int, ...]:
    """(2, 0, 1) of `2.0.1rc2`: what two versions are compared by."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _from_project(text: str) -> Distribution:
    """From pyproject.toml, read without a TOML reader, which Python 3.10 lacks."""
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    return Distribution(
        version=_quoted("version", text),
        oldest_python=_quoted("requires-python", text).removeprefix(">="),
        tested_pythons=tuple(_TESTED.findall(text)),
        requirements=_requirements(re.findall(r'"([^"]+)"', listed[1] if listed else "")),
    )


def _installed() -> Distribution:
    try:
        fields = metadata.metadata(NAME)
    except metadata.PackageNotFoundError as error:
        raise SetupError(
            f"{NAME} is neither installed nor run from its checkout; install its wheel with pip"
        ) from error
    return Distribution(
        version=fields["Version"],
        oldest_python=(fields["Requires-Python"] or "").removeprefix(">="),
        tested_pythons=tuple(_TESTED.findall("\n".join(fields.get_all("Classifier") or ()))),
        requirements=_requirements(line for line in fields.get_all("Requires-Dist") or () if "extra ==" not in line),
    )


def _requirements(lines: Iterable[str]) -> tuple[Requirement, ...]:
    found = (_REQUIREMENT.match(line) for line in lines)
    return tuple(Requirement(match["name"], match["oldest"]) for match in found if match)


def _quoted(key: str, text: str) -> str:
    found = re.search(rf'^{key} = "([^"]+)"', text, re.MULTILINE)
    return found[1] if found else ""
