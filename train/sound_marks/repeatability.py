"""How well two passes over the same recordings agree: seconds marked in both and in only one of them, coughs, edges.

python -m train.sound_marks.repeatability`
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.sound_marks.marks import FOLDER, Mark, read_looked_at, read_marks

SECOND_PASS = FOLDER / "second_pass.tsv"
SEEN_S = 16.0
"""The second pass looked at so much of each recording."""
GRID_S = 0.01
KINDS = ("cough", "voice")


def main() -> int:
    """Print Markdown."""
    first = {each.recording: _seen(each.marks) for each in read_looked_at()}
    second = {recording: _seen(marks) for recording, marks in read_marks(SECOND_PASS).items()}
    print(f"{len(second)} recordings, the first {SEEN_S:g} s of each\n")
    edges = "edges apart: median, 90 % (s)"
    print(f"| kind | marks | in both (s) | only in the first (s) | only in the second (s) | {edges} |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in KINDS:
        pairs = [(_of(first[recording], kind), _of(own, kind)) for recording, own in second.items()]
        both, only_first, only_second = np.sum([_overlap_s(*pair) for pair in pairs], axis=0)
        apart_s = [distance for pair in pairs for distance in _edges_apart_s(*pair)]
        spread = ", ".join(f"{value:.2f}" for value in np.percentile(apart_s, [50, 90]))
        counts = " and ".join(str(sum(len(pair[side]) for pair in pairs)) for side in (0, 1))
        print(f"| {kind} | {counts} | {both:.1f} | {only_first:.2f} | {only_second:.2f} | {spread} |")
    return 0


def _seen(marks: Sequence[Mark]) -> list[Mark]:
    return [Mark(mark.start_s, min(mark.end_s, SEEN_S), mark.kind) for mark in marks if mark.start_s < SEEN_S]


def _of(marks: Sequence[Mark], kind: str) -> list[Mark]:
    return [mark for mark in marks if mark.kind == kind]


def _overlap_s(first: Sequence[Mark], second: Sequence[Mark]) -> tuple[float, float, float]:
    """Seconds in both, only in the first, only in the second."""
    one, other = _grid(first), _grid(second)
    return tuple(float(part.sum()) * GRID_S for part in (one & other, one & ~other, other & ~one))  # type: ignore[return-value]  # three


def _grid(marks: Sequence[Mark]) -> NDArray[np.bool_]:
    inside = np.zeros(round(SEEN_S / GRID_S), np.bool_)
    for mark in marks:
        inside[round(mark.start_s / GRID_S) : round(mark.end_s / GRID_S)] = True
    return inside


def _edges_apart_s(first: Sequence[Mark], second: Sequence[Mark]) -> list[float]:
    """From each edge in the second pass to the same kind of edge of the mark in the first that overlaps it most."""
    apart_s: list[float] = []
    for mark in second:
        same = max(first, key=lambda other: _shared_s(mark, other), default=mark)
        apart_s += [abs(mark.start_s - same.start_s), abs(mark.end_s - same.end_s)]
    return apart_s


def _shared_s(first: Mark, second: Mark) -> float:
    return min(first.end_s, second.end_s) - max(first.start_s, second.start_s)


if __name__ == "__main__":
    raise SystemExit(main())
