"""A process that scores, as the one that hands out the work sees it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from edge.child_process import END_S, how_it_ended, start_program
from edge.errors import EngineError, SetupError
from edge.scoring.file_score import FileScore
from edge.scoring.scored_file import Task
from edge.scoring.worker_program import MAX_MESSAGE_BYTES, task_message

PROGRAM = "edge.scoring.worker_program"


@dataclass(frozen=True)
class Assignment:
    """A task that a worker was given."""

    number: int
    """In the order of the output."""
    task: Task
    signature: str
    records: IO[bytes]
    """Where the worker writes."""
    attempts: int = 1


class Worker:
    """A running edge/scoring/worker_program.py."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        """Start it, with what `start_message` gave. Raises EngineError where the system refuses."""
        self.assignment: Assignment | None = None
        """What it is working at."""
        self.is_open = False
        """Its engines are."""
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = _start_program(theirs.fileno())
            except OSError as error:
                self._connection.close()
                raise EngineError(f"no process to score can be started ({error}); give a smaller --jobs") from error
        self._send(start)

    @property
    def is_idle(self) -> bool:
        """Ready for a task."""
        return self.is_open and self.assignment is None

    def fileno(self) -> int:
        """What can be read when there is something to `receive`."""
        return self._connection.fileno()

    def begin(self, assignment: Assignment) -> None:
        """Give it a task."""
        self.assignment = assignment
        self._send(task_message(assignment.task), assignment.records.fileno())

    def receive(self) -> FileScore | None:
        """What came of its task, which it then no longer has; None where its engines are open now.

        Raises SetupError where the run cannot go on, EOFError where the process ended.
        """
        try:
            message = self._connection.recv(MAX_MESSAGE_BYTES)
        except ConnectionError:
            message = b""
        if not message:
            raise EOFError(how_it_ended(self._process))
        answer = json.loads(message)
        if "setup_error" in answer:
            raise SetupError(answer["setup_error"])
        if self.assignment is None:
            self.is_open = True
            return None
        self.assignment = None
        return FileScore.from_dict(answer)

    def close(self) -> None:
        """End the process, whatever it does: what it has not delivered yet is in files that nobody else knows."""
        self._process.kill()
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)

    def _send(self, message: Mapping[str, Any], *descriptors: int) -> None:
        with suppress(ConnectionError):  # it ended; `receive` says how
            socket.send_fds(self._connection, [json.dumps(message).encode()], descriptors)


def _start_program(descriptor: int) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return start_program(PROGRAM, [str(descriptor)], pass_fds=[descriptor], stdin=quiet, stdout=quiet)
