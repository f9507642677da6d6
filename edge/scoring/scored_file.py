"""One recording through the pipeline, its records into a file of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from edge.annotated_cycles import results_from_cycles
from edge.annotations import annotations_beside, check_within, read_annotations
from edge.audio.block import AudioBlock
from edge.audio.recording import RecordingSource
from edge.breath_events import EventRules, TrackingState, finish_tracking, track
from edge.errors import InputError
from edge.pipeline import Classifier, Pipeline
from edge.private_file import open_private
from edge.results import JsonLinesWriter, Result
from edge.scoring.file_score import FileScore, Verdict, error_record, file_record, verdict_of


class StoppedScoring(Exception):
    """Somebody asked to stop; what was begun is left."""


@dataclass(frozen=True)
class Task:
    """One recording, and how it is to be scored."""

    file: Path
    classifier: Classifier | None
    """None where the file's name does not say which stethoscope it is of."""
    hop_s: float
    cycles: bool
    """One result for each annotated cycle instead of one for each hop."""
    error: str | None = None
    """Why it cannot be scored, where that is known before it is opened."""


def score_file(task: Task, spool: Path, stopping: Callable[[], bool]) -> FileScore:
    """Write the records of a recording to `spool`, as JSON Lines, and count them.

    A recording that cannot be scored to its end leaves one record that says why. Raises SetupError, and StoppedScoring
    soon after `stopping` says so.
    """
    if task.classifier is None:
        return _refused(task, spool, task.error or "")
    try:
        with open_private(spool, "w", encoding="utf-8", newline="") as stream:
            return _score(task, task.classifier, stream, stopping)
    except InputError as error:
        return _refused(task, spool, str(error))
    except (OSError, MemoryError, RecursionError) as error:
        return _refused(task, spool, f"{task.file}: cannot be read ({error or type(error).__name__}); copy it again")


def _refused(task: Task, spool: Path, error: str) -> FileScore:
    with open_private(spool, "w", encoding="utf-8", newline="") as stream:
        JsonLinesWriter(stream).write_record(error_record(str(task.file), error))
    return FileScore(error=error)


def _score(task: Task, classifier: Classifier, stream: IO[str], stopping: Callable[[], bool]) -> FileScore:
    writer, verdicts, heard = JsonLinesWriter(stream), Counter[Verdict](), TrackingState()
    events, rules = [], EventRules()
    with RecordingSource(task.file) as source:
        blocks = _until_stopped(source.blocks(), stopping)
        for result in (_cycles if task.cycles else _windows)(task, classifier, source, blocks):
            writer.write(replace(result, latency_ms=None))
            verdicts[verdict_of(result)] += 1
            if not task.cycles:
                ended, heard = track(result, heard, rules)
                events += ended
        events += finish_tracking(heard, rules)
        for event in events:
            writer.write_event(event)
        score = FileScore(source.duration_s, verdicts, len(events))
    what = "cycles" if task.cycles else "windows"
    writer.write_record(file_record(str(task.file), classifier.profile.name, classifier.bundle.model_id, what, score))
    return score


def _windows(
    task: Task, classifier: Classifier, source: RecordingSource, blocks: Iterable[AudioBlock]
) -> Iterator[Result]:
    pipeline = Pipeline(classifier, source.name, source.sample_rate_hz, task.hop_s)
    for block in blocks:
        yield from pipeline.push(block)
    yield from pipeline.finish()


def _cycles(
    task: Task, classifier: Classifier, source: RecordingSource, blocks: Iterable[AudioBlock]
) -> Iterator[Result]:
    annotations = annotations_beside(task.file)
    cycles = read_annotations(annotations)
    check_within(cycles, source.duration_s, annotations)
    yield from results_from_cycles(classifier, source.name, source.sample_rate_hz, blocks, cycles)


def _until_stopped(blocks: Iterable[AudioBlock], stopping: Callable[[], bool]) -> Iterator[AudioBlock]:
    for block in blocks:
        if stopping():
            raise StoppedScoring
        yield block
