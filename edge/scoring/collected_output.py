"""The outputs of `score`: records of one recording after the other, in the order of the recordings."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from edge.errors import OutputError
from edge.private_file import open_private
from edge.results import CSV_FIELDS, EVENTS_SUFFIX, FORMATS, STANDARD_OUTPUT, failures_named, row_from_record

RECORDS_SUFFIX = ".records.jsonl"
"""Of the file that holds every record of a run whose output holds only some, for its report."""


class CollectedOutput:
    """Where records go; as a context manager it closes what is open."""

    def __init__(self, target: str, records: Path | None) -> None:
        """Records to the file `target`, or to standard output for "-"; all of them also to `records`, if given.

        Nothing is opened yet. Raises OutputError for an ending that is not known.
        """
        self._is_standard = target == STANDARD_OUTPUT
        path = Path(target)
        if not self._is_standard and path.suffix.lower() not in FORMATS:
            raise OutputError(f"{path}: results are written as {' or '.join(FORMATS)}; choose a name that ends so")
        self._is_csv = not self._is_standard and path.suffix.lower() == ".csv"
        self._paths = [] if self._is_standard else [path]
        self._paths += [path.with_suffix(EVENTS_SUFFIX)] if self._is_csv else []
        self._paths += [records] if records else []
        self._streams: list[IO[bytes]] = []

    @property
    def records_path(self) -> Path | None:
        """The file that holds every record; None where there is none."""
        return None if not self._paths or (self._is_csv and len(self._paths) == 2) else self._paths[-1]

    def open(self, ends: Sequence[int] | None) -> None:
        """Open every file: emptied, or, with `ends`, cut to those lengths. Raises OutputError."""
        for number, path in enumerate(self._paths):
            try:
                stream = open_private(path, "wb" if ends is None else "r+b")
                self._streams.append(stream)
                if ends is not None:
                    _cut(stream, ends[number], path)
            except OSError as error:
                raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
        if self._is_csv and ends is None:
            self._write(0, _csv_line(CSV_FIELDS))

    def add(self, records: IO[bytes]) -> list[int]:
        """Append `records`, JSON Lines; how long each file is then, all of it on the disk. Raises OutputError."""
        if self._is_standard:
            records.seek(0)
            self._print(records)
        for number in range(len(self._streams)):
            records.seek(0)
            self._append(number, records)
        for stream, path in zip(self._streams, self._paths, strict=True):
            with failures_named(path):
                stream.flush()
                os.fsync(stream.fileno())
        return [stream.tell() for stream in self._streams]

    def close(self) -> None:
        """Close every file."""
        for stream in self._streams:
            with suppress(OSError):  # what was added has been flushed
                stream.close()

    def __enter__(self) -> CollectedOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _print(self, records: IO[bytes]) -> None:
        with failures_named("<stdout>"):
            sys.stdout.writelines(line.decode() for line in records)
            sys.stdout.flush()

    def _append(self, number: int, records: IO[bytes]) -> None:
        if not self._is_csv or number == 2:
            with failures_named(self._paths[number]):
                shutil.copyfileobj(records, self._streams[number])
            return
        for line in records:
            is_result = (record := json.loads(line))["record"] == "result"
            if is_result == (number == 0):
                self._write(number, _csv_row(record) if is_result else line)

    def _write(self, number: int, content: bytes) -> None:
        with failures_named(self._paths[number]):
            self._streams[number].write(content)


def records_in(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON Lines, one after the other. Raises OutputError where it cannot be read."""
    with failures_named(path), path.open("rb") as stream:
        for line in stream:
            yield json.loads(line)


def _cut(stream: IO[bytes], end: int, path: Path) -> None:
    if stream.seek(0, os.SEEK_END) < end:
        raise OutputError(f"{path}: is shorter than its journal says; remove the journal to start anew")
    stream.truncate(end)
    stream.seek(end)


def _csv_row(record: dict[str, Any]) -> bytes:
    row = row_from_record(record)
    return _csv_line([row.get(name, "") for name in CSV_FIELDS])


def _csv_line(values: Sequence[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode("utf-8", "surrogateescape")
