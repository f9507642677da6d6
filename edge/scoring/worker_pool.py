"""Tasks by several processes at a time, and what comes of them in the order of the tasks."""

from __future__ import annotations

import select
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from edge.errors import EngineError
from edge.results import failures_named
from edge.scoring.file_score import FileScore
from edge.scoring.scored_file import TEMPORARY, StoppedScoring, Task, score_file, signature_of
from edge.scoring.worker import Assignment, Worker

AHEAD = 4
"""Tasks a worker that may be begun before the turn of the first of them."""
ATTEMPTS = 2
"""How many processes a recording may end before it is left out: the first may have been ended for want of memory that
others took.
"""
LOOK_UP_S = 0.2
"""How often somebody's wish to stop is asked after."""


@dataclass(frozen=True)
class Scored:
    """What came of a task."""

    signature: str
    """Of the files that it read, taken before."""
    score: FileScore
    records: IO[bytes]
    """JSON Lines, in a file without a name, which is gone whatever ends this process. To be closed."""


def score_in_order(
    tasks: Sequence[Task], jobs: int, start: Mapping[str, Any], stopping: Callable[[], bool]
) -> Generator[Scored, None, None]:
    """What comes of each task, in their order; with several jobs, by as many processes. To be closed.

    Processes, not threads: measured on two cores, two threads do what one does, two processes twice as much.
    Each opens engines of its own; those of the tasks' classifiers are closed. `start` is what `start_message` gave.
    Raises SetupError, and StoppedScoring soon after `stopping` says so.
    """
    if min(jobs, len(tasks)) < 2:
        for task in tasks:
            yield _score_here(task, stopping)
        return
    for classifier in filter(None, (task.classifier for task in tasks)):
        classifier.engine.close()
    with closing(_Workers(tasks, min(jobs, len(tasks)), start)) as workers:
        for number in range(len(tasks)):
            yield workers.wait_for(number, stopping)


def _score_here(task: Task, stopping: Callable[[], bool]) -> Scored:
    signature, records = signature_of(task), _new_records()
    try:
        return Scored(signature, score_file(task, records, stopping), records)
    except BaseException:
        with suppress(OSError):  # what could not be written has been told
            records.close()
        raise


def _new_records() -> IO[bytes]:
    with failures_named(TEMPORARY):
        return tempfile.TemporaryFile()


class _Workers:
    def __init__(self, tasks: Sequence[Task], jobs: int, start: Mapping[str, Any]) -> None:
        self._start = start
        self._waiting = deque(enumerate(tasks))
        self._again = deque[Assignment]()
        self._scored: dict[int, Scored] = {}
        self._jobs = jobs
        self._workers: list[Worker] = []

    def wait_for(self, number: int, stopping: Callable[[], bool]) -> Scored:
        """What came of a task; the one before it has been taken."""
        while number not in self._scored:
            if stopping():
                raise StoppedScoring
            self._start_workers()
            self._hand_out(number + AHEAD * self._jobs)
            self._gather()
        return self._scored.pop(number)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        assigned = [worker.assignment for worker in self._workers if worker.assignment is not None]
        left = [each.records for each in self._scored.values()] + [each.records for each in (*self._again, *assigned)]
        for records in left:
            records.close()

    def _start_workers(self) -> None:
        while len(self._workers) < self._jobs:
            self._workers.append(Worker(self._start))

    def _hand_out(self, end: int) -> None:
        """Give each idle worker a task that lies before number `end`."""
        for worker in self._workers:
            if worker.is_idle and self._again:
                worker.begin(self._again.popleft())
            elif worker.is_idle and self._waiting and self._waiting[0][0] < end:
                number, task = self._waiting.popleft()
                worker.begin(Assignment(number, task, signature_of(task), _new_records()))

    def _gather(self) -> None:
        poll = select.poll()
        by_descriptor = {worker.fileno(): worker for worker in self._workers}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(LOOK_UP_S * 1000):
            self._take(by_descriptor[descriptor])

    def _take(self, worker: Worker) -> None:
        given = worker.assignment
        try:
            score = worker.receive()
        except EOFError as ended:
            self._replace(worker, given, str(ended))
            return
        if given is not None and score is not None:
            self._scored[given.number] = Scored(given.signature, score, given.records)

    def _replace(self, worker: Worker, given: Assignment | None, how: str) -> None:
        """Another worker will take the place of one that ended; what that was at is tried once more, then left out."""
        if not worker.is_open:
            raise EngineError(f"a process that scores ended at its start ({how}); try --jobs 1, and report it")
        worker.assignment = None
        worker.close()
        self._workers.remove(worker)
        if given is not None and given.attempts < ATTEMPTS:
            self._again.append(replace(given, attempts=given.attempts + 1))
        elif given is not None:
            self._leave_out(given, how)

    def _leave_out(self, given: Assignment, how: str) -> None:
        error = f"{given.task.file}: ended the process that scored it ({how}); leave it out, and report it"
        score = score_file(replace(given.task, classifier=None, error=error), given.records, lambda: False)
        self._scored[given.number] = Scored(given.signature, score, given.records)
