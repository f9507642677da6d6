"""What is said about a stretch of sound, and how it is written, JSON Lines or CSV. Fields are added, never changed.

A line of JSON says in `record` what it holds: `result` or `event`, in `score` also `file` (what came of a recording) or
`error` (why nothing did). CSV holds results alone; everything else lies beside it.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from edge.errors import OutputError
from edge.events import Event
from edge.labels import LABELS
from edge.private_file import open_private
from edge.quality import Quality

SCHEMA = 1
INTENDED_USE = "research"
STANDARD_OUTPUT = "-"
FORMATS = (".jsonl", ".csv")
EVENTS_SUFFIX = ".events.jsonl"
"""Of the file that holds the events beside a CSV file."""

CSV_FIELDS = (
    "schema", "source", "device", "start_s", "end_s", "label", *LABELS, "quality_ok", "quality_reasons",
    "model", "engine", "latency_ms", "intended_use", "cycle", "annotated",
    "operating_point",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The verdict on one window, or on one annotated breathing cycle."""

    source: str
    device: str
    start_s: float
    end_s: float
    label: str | None
    """None where `quality` is not ok."""
    probabilities: Mapping[str, float]
    """By label, in the order of `LABELS`."""
    quality: Quality
    model: str
    engine: str
    latency_ms: float | None
    """From the window being complete to the probabilities; None where recordings are scored: nobody waits there, and a
    run that was cut off and went on must write what an unbroken one writes.
    """
    cycle: int | None = None
    """Which line of the annotations, from 0; None for a window."""
    annotated: str | None = None
    """The label that the annotations give; None for a window."""
    operating_point: str | None = None
    """The name of the one that the label was decided at; None where the model has none."""


def record_from_result(result: Result) -> dict[str, Any]:
    """The JSON object of a result: times to a tenth of a millisecond, probabilities to four decimals."""
    record = {
        "schema": SCHEMA,
        "record": "result",
        "source": result.source,
        "device": result.device,
        "start_s": round(result.start_s, 4),
        "end_s": round(result.end_s, 4),
        "label": result.label,
        "probabilities": {label: round(result.probabilities[label], 4) for label in LABELS},
        "quality": {"ok": result.quality.ok, "reasons": [_record_from_reason(r) for r in result.quality.reasons]},
        "model": result.model,
        "engine": result.engine,
        "latency_ms": None if result.latency_ms is None else round(result.latency_ms, 2),
        "intended_use": INTENDED_USE,
        "operating_point": result.operating_point,
    }
    if result.cycle is not None:
        record |= {"cycle": result.cycle, "annotated": result.annotated}
    return record


def record_from_event(event: Event) -> dict[str, Any]:
    """The JSON object of an event: times to a tenth of a millisecond, the event's own fields after those of all."""
    record = {
        "schema": SCHEMA,
        "record": "event",
        "event": event.name,
        "source": event.source,
        "start_s": round(event.start_s, 4),
        "end_s": round(event.end_s, 4),
    }
    return {**record, **event.fields, "intended_use": INTENDED_USE}


def line_from_record(record: Mapping[str, Any]) -> str:
    """A JSON object as a line of JSON Lines, in ASCII."""
    return json.dumps(record, allow_nan=False) + "\n"


class ResultWriter(Protocol):
    """Takes results and events one by one; each is on its way to the reader when `write` returns."""

    def write(self, result: Result) -> None:
        """Write one result. Raises OutputError where it cannot be; BrokenPipeError where nobody reads any more."""

    def write_event(self, event: Event) -> None:
        """Write one event. Raises as `write` does."""


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, result: Result) -> None:
        """Write one result and flush it."""
        self.write_record(record_from_result(result))

    def write_event(self, event: Event) -> None:
        """Write one event and flush it."""
        self.write_record(record_from_event(event))

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write the JSON object of any kind of record and flush it."""
        with failures_named(_name(self._stream)):
            self._stream.write(line_from_record(record))
            self._stream.flush()


class CsvWriter:
    """One row a result under a header row; a value that does not apply is empty. Events go to a writer of their own."""

    def __init__(self, stream: IO[str], events: JsonLinesWriter) -> None:
        self._stream = stream
        self._events = events
        self._rows = csv.DictWriter(stream, CSV_FIELDS, restval="", lineterminator="\n")
        with failures_named(_name(stream)):
            self._rows.writeheader()
            stream.flush()

    def write(self, result: Result) -> None:
        """Write one result and flush it."""
        with failures_named(_name(self._stream)):
            self._rows.writerow(row_from_record(record_from_result(result)))
            self._stream.flush()

    def write_event(self, event: Event) -> None:
        """Write one event, as JSON, and flush it."""
        self._events.write_event(event)


@contextmanager
def open_writer(target: str) -> Iterator[ResultWriter]:
    """A writer to the file `target`, in the format that its ending names, or of JSON Lines to standard output for "-".

    The events beside `NAME.csv` go to `NAME.events.jsonl`. An existing file is replaced; only its owner may read it.
    Raises OutputError where the ending is unknown or the file cannot be written.
    """
    if target == STANDARD_OUTPUT:
        yield JsonLinesWriter(sys.stdout)
        return
    path = Path(target)
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: results are written as {' or '.join(FORMATS)}; choose a name that ends so")
    with _open_output(path) as stream:
        if path.suffix.lower() != ".csv":
            yield JsonLinesWriter(stream)
            return
        with _open_output(path.with_suffix(EVENTS_SUFFIX)) as events:
            yield CsvWriter(stream, JsonLinesWriter(events))


@contextmanager
def _open_output(path: Path) -> Iterator[IO[str]]:
    try:
        stream = open_private(path, "w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        yield stream
    finally:
        with suppress(OSError):  # each write was flushed, and has already said what failed
            stream.close()


@contextmanager
def failures_named(where: Path | str) -> Iterator[None]:
    """Turn what fails to be written within into an OutputError that names the place.

    BrokenPipeError, which says that nobody reads any more, passes.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{where}: results cannot be written ({error.strerror}); free some space") from error


def _name(stream: IO[str]) -> str:
    return str(getattr(stream, "name", "the output"))


def _record_from_reason(reason: Any) -> dict[str, Any]:
    return {**asdict(reason), "measured": round(reason.measured, 4)}


def row_from_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a CSV row of a result's JSON object; those that do not apply are left out."""
    flat = {key: value for key, value in record.items() if key not in ("record", "probabilities", "quality")}
    reasons = " ".join(reason["name"] for reason in record["quality"]["reasons"])
    return {
        **flat,
        **record["probabilities"],
        "quality_ok": str(record["quality"]["ok"]).lower(),
        "quality_reasons": reasons,
    }
