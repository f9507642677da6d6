"""The thread that writes a recording: takes what waits in a queue, and says what became of it."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from edge.events import Event
from edge.recorder.growing_wave import Int16
from edge.recorder.recorded_file import LOST, NOT_RECORDED, RecordedFile
from edge.recorder.recording_folder import SYNC_S, RecordingFolder
from edge.results import Result


@dataclass(frozen=True)
class Piece:
    """Sound on its way to the disk."""

    samples: Int16
    lost_samples: int
    """Never heard, before `samples`."""
    unrecorded_samples: int
    """Heard, but dropped here, before `samples` and before the lost ones."""


@dataclass(frozen=True)
class News:
    """What the writing thread has to say."""

    started: RecordedFile | None = None
    stopped_reason: str | None = None


Item = Piece | Result | Event
END = Piece(np.zeros(0, np.int16), 0, 0)


def write_recording(recording: RecordingFolder, items: queue.Queue[Item], news: queue.SimpleQueue[News]) -> None:
    """Write the items until `END`, and tell which files were begun and why nothing more is written.

    Once the disk refuses, what comes is taken and dropped, so that nobody waits for it.
    """
    try:
        _record(recording, items, news)
    except OSError as error:
        with suppress(OSError):
            recording.close()
        news.put(News(stopped_reason=error.strerror or str(error)))
        while items.get() is not END:
            pass


def _record(recording: RecordingFolder, items: queue.Queue[Item], news: queue.SimpleQueue[News]) -> None:
    recording.prune()
    told = None
    for item in _until_end(items):
        _write(item, recording)
        recording.keep_up()
        if recording.maybe_file is not told:
            told = recording.maybe_file
            news.put(News(started=told))
    recording.close()


def _until_end(items: queue.Queue[Item]) -> Iterator[Item | None]:
    """What comes; None where nothing did for a while."""
    item: Item | None = None
    while item is not END:
        yield item
        item = None
        with suppress(queue.Empty):
            item = items.get(timeout=SYNC_S)


def _write(item: Item | None, recording: RecordingFolder) -> None:
    if isinstance(item, Result):
        recording.add_result(item)
    elif isinstance(item, Event):
        recording.add_event(item)
    elif item is not None:
        if item.unrecorded_samples:
            recording.add_gap(item.unrecorded_samples, NOT_RECORDED)
        if item.lost_samples:
            recording.add_gap(item.lost_samples, LOST)
        recording.add_sound(item.samples)
