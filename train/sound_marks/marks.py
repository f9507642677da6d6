"""The marked stretches, and which recordings were looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.errors import DatasetError

FOLDER = Path(__file__).parent
DATABASES = ("icbhi", "sprsound")
KINDS = ("cough", "voice", "cry", "unsure")
"""`unsure` is neither one of the others for certain nor free of them: to be left out on both sides."""
MARKS_HEADER = ("recording", "start_s", "end_s", "kind")
LOOKED_AT_HEADER = ("recording", "database", "chosen")
CHOSEN = ("all", "drawn", "suspected")


@dataclass(frozen=True)
class Mark:
    """One stretch of one recording."""

    start_s: float
    end_s: float
    kind: str
    """Of `KINDS`."""

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class LookedAt:
    """A recording that was looked at from its beginning to its end."""

    recording: str
    """The file's name without its ending."""
    database: str
    """Of `DATABASES`: `icbhi` is the folder of originals, in whose time the marks are."""
    chosen: str
    """`all` of a stethoscope, `drawn` at random, or `suspected`: a detector took it for a cough or a voice."""
    marks: tuple[Mark, ...]
    """In order of their start."""

    @property
    def patient(self) -> str:
        """As both databases name recordings: what stands before the first underscore."""
        return self.recording.split("_")[0]

    def maybe_path(self, data: Path) -> Path | None:
        """The recording in the folder that holds both databases; None where it is not there."""
        return next(iter(sorted((data / self.database).glob(f"*/{self.recording}.flac"))), None)


def read_looked_at(folder: Path = FOLDER) -> tuple[LookedAt, ...]:
    """Every recording that was looked at, with its marks. Raises DatasetError naming the file, the line and what is
    expected there.
    """
    marks = {database: read_marks(folder / f"{database}_marks.tsv") for database in DATABASES}
    looked_at: list[LookedAt] = []
    for where, (recording, database, chosen) in read_lines(folder / "looked_at.tsv", LOOKED_AT_HEADER):
        _expect(database in DATABASES, where, f"a database of {', '.join(DATABASES)}", database)
        _expect(chosen in CHOSEN, where, f"one of {', '.join(CHOSEN)}", chosen)
        looked_at.append(LookedAt(recording, database, chosen, tuple(marks[database].pop(recording, ()))))
    if left := sorted(name for own in marks.values() for name in own):
        raise DatasetError(
            f"{folder}: marks of recordings that looked_at.tsv does not name ({', '.join(left)}); add them"
        )
    return tuple(looked_at)


def read_marks(path: Path) -> dict[str, list[Mark]]:
    """The marks of a file by recording, in order of their start. Raises DatasetError."""
    found: dict[str, list[Mark]] = {}
    for where, (recording, *fields) in read_lines(path, MARKS_HEADER):
        found.setdefault(recording, []).append(read_mark(where, *fields))
    return {recording: sorted(own, key=lambda mark: mark.start_s) for recording, own in found.items()}


def read_mark(where: str, start: str, end: str, kind: str) -> Mark:
    """The mark in one line's last fields; `where` names the line. Raises DatasetError."""
    _expect(kind in KINDS, where, f"a kind of {', '.join(KINDS)}", kind)
    start_s, end_s = _seconds(start, where), _seconds(end, where)
    _expect(0 <= start_s < end_s, where, "a start from 0 on and before the end", f"{start} to {end}")
    return Mark(start_s, end_s, kind)


def marked_s(marks: Iterable[Mark], kinds: Sequence[str]) -> float:
    """Seconds that marks of these kinds last."""
    return sum(mark.duration_s for mark in marks if mark.kind in kinds)


def by_patient(looked_at: Iterable[LookedAt]) -> Mapping[str, list[LookedAt]]:
    """The recordings of each patient, by database and patient."""
    found: dict[str, list[LookedAt]] = {}
    for each in looked_at:
        found.setdefault(f"{each.database} {each.patient}", []).append(each)
    return found


def read_lines(path: Path, header: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """The fields of each line behind the header, with what to call it in a message. Raises DatasetError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); give a folder of sound marks") from None
    _expect(lines[:1] == ["\t".join(header)], f"{path}:1", f"the header {' '.join(header)}", "".join(lines[:1]))
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        _expect(len(fields) == len(header), f"{path}:{number}", f"{len(header)} fields between tabs", line)
        yield f"{path}:{number}", fields


def _seconds(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DatasetError(f"{where}: expected seconds, found {text!r}; mend the line") from None


def _expect(holds: bool, where: str, expected: str, found: str) -> None:
    if not holds:
        raise DatasetError(f"{where}: expected {expected}, found {found!r}; mend the line")
