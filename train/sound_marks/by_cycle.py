"""The marks by annotated cycle: `python -m train.sound_marks.by_cycle --data icbhi=DIR`.

Marks are in the time of the originals, of which many were put together from their cycles; the 4 kHz copy has other
times, but the same cycles in the same order. So `icbhi_marks_by_cycle.tsv` says where marks lie in each cycle, in
seconds from its start, which holds for any copy. The command writes it anew, from the folder of originals.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.errors import EdgeError
from train.data import folders_from_arguments
from train.errors import TrainError
from train.icbhi import read_icbhi
from train.recording import Recording
from train.sound_marks.marks import FOLDER, Mark, read_lines, read_looked_at, read_mark

FILE: Final = FOLDER / "icbhi_marks_by_cycle.tsv"
HEADER = ("recording", "cycle", "start_s", "end_s", "kind")
DISTURBANCES = ("cough", "voice", "cry")
"""What is not breath."""
SHORTEST_S = 0.03
"""What a mark's edge leaves in the next cycle is no part of it."""

CycleName = tuple[str, int]
"""Recording and the cycle's position in its annotations, from 0."""


def marks_by_cycle(path: Path = FILE) -> Mapping[CycleName, tuple[Mark, ...]]:
    """The marks of each cycle that has any, in seconds from its start, in order. Raises DatasetError."""
    found: dict[CycleName, list[Mark]] = {}
    for where, (recording, cycle, *fields) in read_lines(path, HEADER):
        found.setdefault((recording, int(cycle)), []).append(read_mark(where, *fields))
    return {name: tuple(marks) for name, marks in found.items()}


def recordings_looked_at() -> frozenset[str]:
    """Names of the ICBHI recordings of which all marks are known. Raises DatasetError."""
    return frozenset(each.recording for each in read_looked_at() if each.database == "icbhi")


def cut_by_cycle(recording: Recording, marks: Sequence[Mark]) -> Iterator[tuple[int, Mark]]:
    """Each cycle's position with the part of a mark that lies in it, in seconds from the cycle's start."""
    for index, cycle in enumerate(recording.annotations):
        for mark in marks:
            start_s, end_s = max(mark.start_s, cycle.start_s), min(mark.end_s, cycle.end_s)
            if end_s - start_s >= SHORTEST_S:
                yield index, Mark(start_s - cycle.start_s, end_s - cycle.start_s, mark.kind)


def text_from_marks(recordings: Sequence[Recording]) -> str:
    """The file's text, for the originals of every recording that was looked at. Raises DatasetError."""
    by_name = {recording.name: recording for recording in recordings}
    lines = ["\t".join(HEADER)]
    for each in sorted(read_looked_at(), key=lambda looked_at: looked_at.recording):
        if each.database == "icbhi":
            lines += [
                f"{each.recording}\t{index}\t{mark.start_s:.3f}\t{mark.end_s:.3f}\t{mark.kind}"
                for index, mark in cut_by_cycle(by_name[each.recording], each.marks)
            ]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    parser = argparse.ArgumentParser(prog="python -m train.sound_marks.by_cycle", description=__doc__)
    parser.add_argument("--data", action="append", required=True, metavar="icbhi=DIR", help="the folder of originals")
    arguments = parser.parse_args(argv)
    try:
        folder = folders_from_arguments(arguments.data, ["icbhi"])["icbhi"]
        FILE.write_text(text_from_marks(read_icbhi(folder)), encoding="utf-8")
    except (TrainError, EdgeError, OSError) as error:
        print(f"train.sound_marks.by_cycle: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
