"""A network's answer to every cycle of a measurement, kept so that it can be compared with another's later.

`FILE.npz` holds arrays of one entry a cycle: `patients`, `devices`, `recordings` (names), `index` (place in the
recording, from 0), `labels` (true class) and `probabilities` [cycles, classes]; beside them `dataset` and `schema`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.checkpoint import write_atomically
from train.cycles import Cycle
from train.errors import AnswersError

SCHEMA: Final = 1
_UNREADABLE: Final = (
    *(OSError, EOFError, KeyError, AttributeError, TypeError, ValueError),
    # of a damaged archive
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError),
)


@dataclass(frozen=True, eq=False)
class Answers:
    """Cycles, without their sound, and what a network said of them."""

    dataset: str
    patients: NDArray[np.str_]
    devices: NDArray[np.str_]
    recordings: NDArray[np.str_]
    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.floating]
    """[cycles, classes]"""

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Answers:
        """Some of the cycles, or all in another order."""
        arrays = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return Answers(self.dataset, **arrays)


_ARRAYS: Final = tuple(field.name for field in fields(Answers) if field.name != "dataset")


def answers_from_cycles(cycles: Sequence[Cycle], probabilities: NDArray[np.floating]) -> Answers:
    """Of cycles of one dataset; `probabilities` is [len(cycles), classes]."""
    return Answers(
        dataset=cycles[0].dataset if cycles else "",
        patients=np.array([cycle.patient for cycle in cycles], dtype=np.str_),
        devices=np.array([cycle.device for cycle in cycles], dtype=np.str_),
        recordings=np.array([cycle.recording for cycle in cycles], dtype=np.str_),
        index=np.array([cycle.index for cycle in cycles], dtype=np.int64),
        labels=np.array([cycle.label for cycle in cycles], dtype=np.int64),
        probabilities=probabilities,
    )


def write_answers(path: Path, answers: Answers) -> None:
    """Replaced in one step. Raises CheckpointError where it cannot be written."""
    buffer = BytesIO()
    arrays = {name: getattr(answers, name) for name in _ARRAYS}
    np.savez_compressed(buffer, schema=np.array(SCHEMA), dataset=np.array(answers.dataset), **arrays)
    write_atomically(path, buffer.getvalue())


def read_answers(path: Path) -> Answers:
    """What `write_answers` wrote. Raises AnswersError."""
    try:
        # Opened here, because NumPy leaves a file that it cannot read open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            held = {name: file[name] for name in ("schema", "dataset", *_ARRAYS)}
    except _UNREADABLE as error:
        raise AnswersError(f"{path} is no file of answers ({error}); write one with train.evaluate --answers") from None
    if held.pop("schema") != SCHEMA:
        raise AnswersError(
            f"{path} is of another version of this program; write it again with train.evaluate --answers"
        )
    answers = Answers(str(held.pop("dataset")), **held)
    _check(path, answers)
    return answers


def _check(path: Path, answers: Answers) -> None:
    """Raises AnswersError where arrays do not belong together."""
    shape = answers.probabilities.shape
    lengths = {getattr(answers, name).shape[:1] for name in _ARRAYS}
    flat = all(getattr(answers, name).ndim == 1 for name in _ARRAYS if name != "probabilities")
    if len(shape) != 2 or not flat or lengths != {shape[:1]}:
        raise AnswersError(f"{path}: its arrays are of different lengths; write it again with train.evaluate --answers")
    if not answers.labels.size:
        raise AnswersError(f"{path} holds no cycle; write it again with train.evaluate --answers")
    typed = answers.labels.dtype.kind == "i" and answers.probabilities.dtype.kind == "f"
    known = typed and answers.labels.min() >= 0 and answers.labels.max() < shape[1]
    if not known or not np.isfinite(answers.probabilities).all():
        raise AnswersError(f"{path}: a label or probability is none; write it again with train.evaluate --answers")


def matched(named: Sequence[tuple[str, Answers]]) -> list[Answers]:
    """All in one order of cycles, that of recording and index; names tell in an error which they are.

    Raises AnswersError where one is not of the same cycles, with the same labels, as the first.
    """
    in_order = [(name, each.at(np.lexsort((each.index, each.recordings)))) for name, each in named]
    for name, each in in_order[1:]:
        difference = _maybe_difference(in_order[0][1], each)
        if difference:
            raise AnswersError(f"{in_order[0][0]} and {name}: {difference}; compare answers to the same cycles")
    return [each for _, each in in_order]


def _maybe_difference(first: Answers, second: Answers) -> str | None:
    """Why two cannot be compared, both in order."""
    if first.dataset != second.dataset:
        return f"one is of {first.dataset}, the other of {second.dataset}"
    if first.probabilities.shape[1] != second.probabilities.shape[1]:
        return f"one has {first.probabilities.shape[1]} classes, the other {second.probabilities.shape[1]}"
    keys, other = (list(zip(each.recordings.tolist(), each.index.tolist(), strict=True)) for each in (first, second))
    if keys != other:
        return f"of {len(keys)} and {len(other)} cycles, {len(set(keys) & set(other))} are of both"
    differing = [name for name in ("labels", "patients") if (getattr(first, name) != getattr(second, name)).any()]
    return f"their {' and '.join(differing)} differ" if differing else None
