"""The breathing cycles annotated beside a recording, in the ICBHI 2017 database's format.

One line a cycle: `start end crackle wheeze`, separated by white space; times in seconds, the other two 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import AnnotationError
from edge.labels import LABELS

COLUMNS = "start end crackle wheeze"
MAX_CYCLE_S = 600.0
"""Nobody breathes so slowly, and a cycle's sound is held in memory."""
END_TOLERANCE_S = 0.25
"""Annotators' marks may pass the last sample by this much; the cycle then ends with the recording."""


@dataclass(frozen=True)
class Cycle:
    """One annotated breathing cycle."""

    start_s: float
    end_s: float
    crackle: bool
    wheeze: bool

    @property
    def label(self) -> str:
        """The class, one of `LABELS`."""
        return LABELS[self.crackle + 2 * self.wheeze]


def annotations_beside(recording: Path) -> Path:
    """Where the annotations of `recording` lie: the same name, ending in .txt."""
    return recording.with_suffix(".txt")


def read_annotations(path: Path) -> tuple[Cycle, ...]:
    """The cycles in `path`, in its order; blank lines are passed over. Raises AnnotationError naming the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise AnnotationError(
            f"{path}: cannot read the annotations ({error.strerror}); "
            f"a .txt with lines '{COLUMNS}' must lie beside the recording"
        ) from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not a text file; it must hold lines '{COLUMNS}'") from error
    numbered = enumerate(text.splitlines(), start=1)
    cycles = tuple(_parse_cycle(line, f"{path}: line {number}") for number, line in numbered if line.strip())
    if not cycles:
        raise AnnotationError(f"{path}: holds no cycle; it must hold lines '{COLUMNS}'")
    return cycles


def check_within(cycles: Sequence[Cycle], sound_s: float, path: Path) -> None:
    """Raise AnnotationError unless every cycle lies within a recording that lasts `sound_s` and is no longer than
    `MAX_CYCLE_S`; `path` held the cycles.
    """
    for number, cycle in enumerate(cycles, start=1):
        if cycle.end_s - cycle.start_s > MAX_CYCLE_S:
            raise AnnotationError(
                f"{path}: cycle {number} lasts from {cycle.start_s} s to {cycle.end_s} s; a breathing cycle lasts "
                f"{MAX_CYCLE_S:.0f} s at most"
            )
        if cycle.end_s > sound_s + END_TOLERANCE_S or cycle.start_s >= sound_s:
            raise AnnotationError(
                f"{path}: cycle {number} lasts from {cycle.start_s} s to {cycle.end_s} s, but the recording ends at "
                f"{sound_s:.3f} s; it is cut short, or these are another recording's annotations"
            )


def _parse_cycle(line: str, where: str) -> Cycle:
    fields = line.split()
    if len(fields) != len(COLUMNS.split()):
        raise AnnotationError(f"{where}: has {len(fields)} fields, not the four '{COLUMNS}'")
    start_s, end_s = (_parse_time(field, where) for field in fields[:2])
    if not 0 <= start_s < end_s:
        raise AnnotationError(
            f"{where}: a cycle from {start_s} s to {end_s} s; it must start at 0 or later and end after it"
        )
    crackle, wheeze = (_parse_flag(field, where) for field in fields[2:])
    return Cycle(start_s, end_s, crackle, wheeze)


def _parse_time(field: str, where: str) -> float:
    try:
        time_s = float(field)
    except ValueError:
        time_s = math.nan
    if not math.isfinite(time_s):
        raise AnnotationError(f"{where}: {field!r} is not a time in seconds")
    return time_s


def _parse_flag(field: str, where: str) -> bool:
    if field not in ("0", "1"):
        raise AnnotationError(f"{where}: {field!r} must be 0 or 1")
    return field == "1"
