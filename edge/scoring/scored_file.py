"""One recording through the pipeline, its records into a file of their own: results wait there for their turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeVar

from edge import cough_events
from edge.annotated_cycles import results_from_cycles
from edge.annotations import annotations_beside, check_within, read_annotations
from edge.audio.block import AudioBlock
from edge.audio.recording import RecordingSource
from edge.breath_events import TrackingState, finish_tracking, rules_at, track
from edge.errors import InputError, SetupError, one_line
from edge.events import Event
from edge.pipeline import Classifier, Pipeline
from edge.results import Result, failures_named, line_from_record, record_from_event, record_from_result
from edge.scoring.file_score import FileScore, Verdict, error_record, file_record, verdict_of

TEMPORARY = "a temporary file (in $TMPDIR, else /tmp)"

Item = TypeVar("Item")


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


def score_file(task: Task, records: IO[bytes], stopping: Callable[[], bool]) -> FileScore:
    """Score a recording, its records as JSON Lines into the file `records`, all that it holds then.

    One that cannot be scored to its end leaves one record that says why, whatever is wrong. Raises SetupError, and
    StoppedScoring soon after `stopping` says so.
    """
    _rewind(records)
    if task.classifier is None:
        return _refused(task, records, task.error or "")
    try:
        return _score(task, task.classifier, records, stopping)
    except InputError as error:
        return _refused(task, records, str(error))
    except (SetupError, StoppedScoring):
        raise
    except MemoryError:
        return _refused(task, records, f"{task.file}: needs more memory than there is; cut it")
    except OSError as error:
        return _refused(task, records, f"{task.file}: cannot be read ({error.strerror or error}); copy it again")
    except Exception as error:  # noqa: BLE001 - a fault that one recording brings to light costs no other its results
        what = f"{type(error).__name__}: {error}"
        return _refused(task, records, f"{task.file}: cannot be scored ({what}); please report it")


def signature_of(task: Task) -> str:
    """Length and time of the last change of the files that a task reads."""
    return " ".join(map(_file_signature, [task.file, annotations_beside(task.file)] if task.cycles else [task.file]))


def _file_signature(path: Path) -> str:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return "absent"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _refused(task: Task, records: IO[bytes], error: str) -> FileScore:
    _rewind(records)
    _write(records, error_record(str(task.file), one_line(error)))
    _flush(records)
    return FileScore(error=one_line(error))


def _score(task: Task, classifier: Classifier, records: IO[bytes], stopping: Callable[[], bool]) -> FileScore:
    verdicts, heard = Counter[Verdict](), TrackingState()
    events, rules = list[Event](), rules_at(classifier.operating_point)
    with RecordingSource(task.file, check_end=False) as source:
        blocks = until_stopped(source.blocks(), stopping)
        results = (
            _cycles(task, classifier, source, blocks)
            if task.cycles
            else _windows(task, classifier, source, blocks, events)
        )
        for result in until_stopped(results, stopping):
            _write(records, record_from_result(replace(result, latency_ms=None)))
            verdicts[verdict_of(result)] += 1
            if not task.cycles:
                ended, heard = track(result, heard, rules)
                events += ended
        events += finish_tracking(heard, rules)
        for event in sorted(events, key=lambda event: event.end_s):
            _write(records, record_from_event(event))
        coughs = sum(event.name == cough_events.NAME for event in events)
        score = FileScore(source.duration_s, verdicts, len(events), None if task.cycles else coughs)
    what = "cycles" if task.cycles else "windows"
    _write(records, file_record(str(task.file), classifier.profile.name, classifier.bundle.model_id, what, score))
    _flush(records)
    return score


def _write(records: IO[bytes], record: Mapping[str, Any]) -> None:
    with failures_named(TEMPORARY):
        records.write(line_from_record(record).encode("ascii"))


def _rewind(records: IO[bytes]) -> None:
    with failures_named(TEMPORARY):
        records.seek(0)
        records.truncate()


def _flush(records: IO[bytes]) -> None:
    with failures_named(TEMPORARY):
        records.flush()


def _windows(
    task: Task, classifier: Classifier, source: RecordingSource, blocks: Iterable[AudioBlock], events: list[Event]
) -> Iterator[Result]:
    """The results; the coughs go to `events`."""
    pipeline = Pipeline(classifier, source.name, source.sample_rate_hz, task.hop_s)
    for block in blocks:
        yield from pipeline.push(block)
        events += pipeline.take_events()
    yield from pipeline.finish()
    events += pipeline.take_events()


def _cycles(
    task: Task, classifier: Classifier, source: RecordingSource, blocks: Iterable[AudioBlock]
) -> Iterator[Result]:
    annotations = annotations_beside(task.file)
    cycles = read_annotations(annotations)
    check_within(cycles, source.duration_s, annotations)
    yield from results_from_cycles(classifier, source.name, source.sample_rate_hz, blocks, cycles)


def until_stopped(items: Iterable[Item], stopping: Callable[[], bool]) -> Iterator[Item]:
    """`items`, one by one. Raises StoppedScoring once `stopping` says so."""
    for item in items:
        if stopping():
            raise StoppedScoring
        yield item
