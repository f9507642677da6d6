"""What is said about a stretch of sound, and how it is written, JSON Lines or CSV. Fields are added, never changed."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from edge.errors import OutputError
from edge.labels import LABELS
from edge.quality import Quality

SCHEMA = 1
INTENDED_USE = "research"
STANDARD_OUTPUT = "-"
FORMATS = (".jsonl", ".csv")

CSV_FIELDS = (
    "schema", "source", "device", "start_s", "end_s", "label", *LABELS, "quality_ok", "quality_reasons",
    "model", "engine", "latency_ms", "intended_use", "cycle", "annotated",
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
    latency_ms: float
    """From the window being complete to the probabilities."""
    cycle: int | None = None
    """Which line of the annotations, from 0; None for a window."""
    annotated: str | None = None
    """The label that the annotations give; None for a window."""


def record_from_result(result: Result) -> dict[str, Any]:
    """The JSON object of a result: times to a tenth of a millisecond, probabilities to four decimals."""
    record = {
        "schema": SCHEMA,
        "source": result.source,
        "device": result.device,
        "start_s": round(result.start_s, 4),
        "end_s": round(result.end_s, 4),
        "label": result.label,
        "probabilities": {label: round(result.probabilities[label], 4) for label in LABELS},
        "quality": {"ok": result.quality.ok, "reasons": [_record_from_reason(r) for r in result.quality.reasons]},
        "model": result.model,
        "engine": result.engine,
        "latency_ms": round(result.latency_ms, 2),
        "intended_use": INTENDED_USE,
    }
    if result.cycle is not None:
        record |= {"cycle": result.cycle, "annotated": result.annotated}
    return record


class ResultWriter(Protocol):
    """Takes results one by one; each is on its way to the reader when `write` returns."""

    def write(self, result: Result) -> None:
        """Write one result. Raises OutputError where it cannot be; BrokenPipeError where nobody reads any more."""


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, result: Result) -> None:
        """Write one result and flush it."""
        with _failures_named(self._stream):
            self._stream.write(json.dumps(record_from_result(result), allow_nan=False) + "\n")
            self._stream.flush()


class CsvWriter:
    """One row a result under a header row; a value that does not apply is empty."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.DictWriter(stream, CSV_FIELDS, restval="", lineterminator="\n")
        with _failures_named(stream):
            self._rows.writeheader()
            stream.flush()

    def write(self, result: Result) -> None:
        """Write one result and flush it."""
        with _failures_named(self._stream):
            self._rows.writerow(_row_from_record(record_from_result(result)))
            self._stream.flush()


@contextmanager
def open_writer(target: str) -> Iterator[ResultWriter]:
    """A writer to the file `target`, in the format that its ending names, or of JSON Lines to standard output for "-".

    An existing file is replaced. Raises OutputError where the ending is unknown or the file cannot be written.
    """
    if target == STANDARD_OUTPUT:
        yield JsonLinesWriter(sys.stdout)
        return
    path = Path(target)
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: results are written as {' or '.join(FORMATS)}; choose a name that ends so")
    try:
        stream = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        yield CsvWriter(stream) if path.suffix.lower() == ".csv" else JsonLinesWriter(stream)
    finally:
        with suppress(OSError):  # each write was flushed, and has already said what failed
            stream.close()


@contextmanager
def _failures_named(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{stream.name}: results cannot be written ({error.strerror}); free some space") from error


def _record_from_reason(reason: Any) -> dict[str, Any]:
    return {**asdict(reason), "measured": round(reason.measured, 4)}


def _row_from_record(record: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in record.items() if key not in ("probabilities", "quality")}
    reasons = " ".join(reason["name"] for reason in record["quality"]["reasons"])
    return {
        **flat,
        **record["probabilities"],
        "quality_ok": str(record["quality"]["ok"]).lower(),
        "quality_reasons": reasons,
    }
