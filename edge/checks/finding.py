"""What a check of the machine found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import EdgeError


@dataclass(frozen=True)
class DoctorOptions:
    """What the command line asks for."""

    engine: str | None = None
    """Through which the golden inputs are run; None: they are not."""
    model: Path | None = None
    device: str | None = None
    """A stethoscope whose model alone is looked at; None: every model."""
    output: Path | None = None
    """The folder that results shall go to; None: the current one, which nobody promised to be writable."""
    json: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    measured: str
    mend: str = ""
    """A command and what it does not say; where `ok`, what a person may want to change."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The measured values for programs: numbers with their unit in the name, texts, lists of them."""

    @property
    def noted(self) -> bool:
        """In order, and yet something that a person should know."""
        return self.ok and self.mend != ""


def finding_from_error(name: str, error: EdgeError) -> Finding:
    """What an error says is wrong, and after its first semicolon what to do."""
    measured, _, mend = str(error).partition("; ")
    return Finding(name, False, measured, mend)
