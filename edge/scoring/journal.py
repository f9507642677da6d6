"""What a run of `score` has finished, beside its output, so that a run that was cut off can go on.

One line of JSON a step, each after a checksum of its own, so that a line that a power cut tore is known for what it is.
The first line says what was asked; each other one that a recording is done, how long the outputs were then, and what
the summary needs of it. A journal that lies beside an output means that the output is not complete.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from edge.errors import OutputError, UsageError
from edge.private_file import open_private
from edge.scoring.file_score import FileScore

SCHEMA = 1


@dataclass(frozen=True)
class Done:
    """One recording that is scored and written."""

    signature: str
    """Of the recording and what lies beside it, so that a change is noticed."""
    ends: Sequence[int]
    """Length in bytes of each output behind it."""
    score: FileScore


def journal_path(output: Path) -> Path:
    """Where the journal of a run that writes `output` lies."""
    return output.with_name(output.name + ".journal")


class Journal:
    """An open journal, which grows by one line a recording."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path = path
        self._stream = stream

    def add(self, done: Done) -> None:
        """Note one more recording; on the disk when this returns. Raises OutputError."""
        self._append({"signature": done.signature, "ends": list(done.ends), "score": done.score.to_dict()})

    def remove(self) -> None:
        """The run is complete."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the journal where it is; may be called twice."""
        with suppress(OSError):  # what a line could not be written has said so
            self._stream.close()

    def _append(self, record: Mapping[str, Any]) -> None:
        try:
            self._stream.write(_line(record))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror}); free some space") from error


def begin_journal(path: Path, asked: Mapping[str, Any]) -> Journal:
    """A new journal. Raises OutputError, and UsageError where another run writes it."""
    return _begin(path, _open(path), asked)


def resume_journal(path: Path, asked: Mapping[str, Any]) -> tuple[Journal, list[Done]]:
    """A journal that a run left behind, cut after its last whole line, and what is done.

    Raises UsageError where that run was asked for something else or still goes on, OutputError where the journal cannot
    be read.
    """
    stream = _open(path)
    try:
        stream.seek(0)
        lines = list(_whole_lines(stream.read()))
        if not lines:
            return _begin(path, stream, asked), []
        _check_asked(path, json.loads(lines[0][9:]), asked)
        stream.truncate(sum(map(len, lines)))
        return Journal(path, stream), [_done(json.loads(line[9:])) for line in lines[1:]]
    except OSError as error:
        stream.close()
        raise OutputError(f"{path}: cannot be read ({error.strerror}); remove it to start anew") from error
    except UsageError:
        stream.close()
        raise


def _open(path: Path) -> IO[bytes]:
    """The file, whose every write goes to its end, held against any other run."""
    try:
        stream = open_private(path, "a+b")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise UsageError(f"{path}: another run writes it; wait for its end, or name another --output") from None
    except OSError:  # some network's file systems have no locks; whoever uses one sees to it alone
        pass
    return stream


def _begin(path: Path, stream: IO[bytes], asked: Mapping[str, Any]) -> Journal:
    journal = Journal(path, stream)
    stream.truncate(0)
    journal._append({"schema": SCHEMA, "asked": asked})
    return journal


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (crc32(text), text)


def _whole_lines(content: bytes) -> Iterator[bytes]:
    """Up to the first that is torn or changed."""
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n") or line[:9] != b"%08x " % crc32(line[9:-1]):
            return
        yield line


def _check_asked(path: Path, head: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    before = head.get("asked", {}) if head.get("schema") == SCHEMA else {}
    changed = sorted(key for key in before.keys() | asked.keys() if before.get(key) != asked.get(key))
    if changed:
        raise UsageError(
            f"{path}: the run that was cut off was asked otherwise ({', '.join(changed)}); ask the same, or remove the "
            "journal to start anew"
        )


def _done(record: Mapping[str, Any]) -> Done:
    return Done(record["signature"], record["ends"], FileScore.from_dict(record["score"]))
