"""The breathing cycles annotated beside a recording, in the ICBHI 2017 database's format.

One line a cycle: `start end crackle wheeze`, separated by white space; times in seconds, the other two 0 or 1.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import AnnotationError
from edge.labels import LABELS

COLUMNS = "start end crackle wheeze"
SHOWN_CHARACTERS = 40
"""Of a field that is wrong: a file of any kind may lie where annotations are looked for."""
MAX_CYCLE_S = 600.0
"""Nobody breathes so slowly, and a cycle's sound is held in memory."""
MIN_CYCLE_S = 0.1
"""Half of the shortest one in ICBHI; anything shorter counts as much where cycles are added up."""
MAX_TAKEN_SHARE = 3.0
"""Of a recording, by all of its cycles: two listeners' marks in one file still pass, a million marks do not."""
MAX_TEXT_BYTES = 1 << 22
"""Two nights and a day of breathing (the longest recording that is read) take less than 3 MB."""
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
        text = _read_bytes(path).decode("utf-8-sig")
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
    """Raise AnnotationError unless every cycle lies within a recording that lasts `sound_s`, is no longer than
    `MAX_CYCLE_S`, and all of them together could be breathed in it; `path` held the cycles.
    """
    for number, cycle in enumerate(cycles, start=1):
        if cycle.end_s - cycle.start_s > MAX_CYCLE_S:
            raise AnnotationError(
                f"{path}: cycle {number} lasts from {cycle.start_s} s to {cycle.end_s} s; a breathing cycle has "
                f"no more than {MAX_CYCLE_S:.0f} s"
            )
        if cycle.end_s > sound_s + END_TOLERANCE_S or cycle.start_s >= sound_s:
            raise AnnotationError(
                f"{path}: cycle {number} lasts from {cycle.start_s} s to {cycle.end_s} s, but the recording ends at "
                f"{sound_s:.3f} s; it is cut short, or these are another recording's annotations"
            )
    taken_s = sum(max(cycle.end_s - cycle.start_s, MIN_CYCLE_S) for cycle in cycles)
    if taken_s > MAX_TAKEN_SHARE * (sound_s + END_TOLERANCE_S):
        raise AnnotationError(
            f"{path}: its {len(cycles)} cycles take {taken_s:.0f} s, several times the recording's {sound_s:.0f} s; "
            "each cycle may stand there once"
        )


def _read_bytes(path: Path) -> bytes:
    """All of a file of bearable length; a pipe or a device, which might never end, is not waited for."""
    # Path.open takes no opener; a pipe that nobody writes to would block it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise AnnotationError(f"{path}: not a file; it must hold lines '{COLUMNS}'")
        content = file.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise AnnotationError(f"{path}: more than {MAX_TEXT_BYTES >> 20} MB; no recording has so many breathing cycles")
    return content


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
        raise AnnotationError(f"{where}: {field[:SHOWN_CHARACTERS]!r} is not a time in seconds")
    return time_s


def _parse_flag(field: str, where: str) -> bool:
    if field not in ("0", "1"):
        raise AnnotationError(f"{where}: {field[:SHOWN_CHARACTERS]!r} must be 0 or 1")
    return field == "1"
