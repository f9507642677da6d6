"""`listen --record`: hands the sound to a thread that writes it, and never lets the disk hold up or end listening.

Its events: `recording-started` (`file`), `recording-gap` (sound that the disk was too slow for) and
`recording-stopped` (`reason`), after which nothing more is recorded.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.audio.block import AudioBlock
from edge.errors import OutputError
from edge.events import Event
from edge.private_file import make_private_folder
from edge.recorder.growing_wave import int16_from_float32
from edge.recorder.recorded_file import RecordingSession
from edge.recorder.recording_folder import RecordingFolder
from edge.recorder.recording_writer import END, Item, News, Piece, write_recording
from edge.recorder.retention import Retention
from edge.results import Result

OWN_EVENTS = "recording-"
LIVE_ITEMS = 256
"""Blocks and results that may wait for the disk: more than 20 s of a sound card, 2 MB at 48 kHz."""
PATIENT_ITEMS = 16
"""The same where the sound waits too, in blocks that may be longer."""
LONGEST_JAM_S = 60.0
"""A disk that takes nothing for so long is given up."""
LIVE_CLOSE_S = 0.7
"""A live session ends within a second of being asked to."""
PATIENT_S = 60.0
"""How long a recording that is not heard live waits for the disk."""


@dataclass(frozen=True)
class Stream:
    """What is being recorded."""

    source: str
    """As in the results."""
    sample_rate_hz: int
    live: bool
    """Sound that does not wait: what the disk is too slow for is left out."""


class Recorder:
    """Records what it is told of; as a context manager it ends with a finished file.

    Its methods are called by the thread that listens, and so is `tell`.
    """

    def __init__(self, recording: RecordingFolder, stream: Stream, tell: Callable[[Event], None]) -> None:
        self._stream = stream
        self._tell = tell
        self._heard_samples = 0
        self._unrecorded_samples = 0
        self._stopped = False
        self._items: queue.Queue[Item] = queue.Queue(LIVE_ITEMS if stream.live else PATIENT_ITEMS)
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._thread = threading.Thread(target=write_recording, args=(recording, self._items, self._news), daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._offer(END):
            self._thread.join(LIVE_CLOSE_S if self._stream.live else PATIENT_S)
        self._tell_news()
        if self._thread.is_alive() and not self._stopped:
            self._stop("the disk did not answer in time")

    def take_block(self, block: AudioBlock) -> None:
        """Record the next sound."""
        self._tell_news()
        block_samples = block.lost_samples + block.samples.size
        if block_samples and not self._stopped:
            self._take_sound(block, block_samples)
        self._heard_samples += block_samples

    def take_result(self, result: Result) -> None:
        """List a result beside its sound."""
        self._put(result)

    def take_event(self, event: Event) -> None:
        """List an event beside its sound, unless it is one of the recorder's own."""
        if not event.name.startswith(OWN_EVENTS):
            self._put(event)

    def _take_sound(self, block: AudioBlock, block_samples: int) -> None:
        if self._put(Piece(int16_from_float32(block.samples), block.lost_samples, self._unrecorded_samples)):
            self._tell_gap()
            return
        self._unrecorded_samples += block_samples
        if not self._stream.live or self._unrecorded_samples > LONGEST_JAM_S * self._stream.sample_rate_hz:
            self._stop("the disk takes nothing any more")

    def _put(self, item: Item) -> bool:
        return not self._stopped and self._offer(item)

    def _offer(self, item: Item) -> bool:
        try:
            self._items.put(item, block=not self._stream.live, timeout=PATIENT_S)
        except queue.Full:
            return False
        return True

    def _tell_news(self) -> None:
        while not self._news.empty():
            news = self._news.get()
            if news.started is not None:
                start_s = news.started.start_sample / self._stream.sample_rate_hz
                self._say("recording-started", start_s, {"file": news.started.name})
            if news.stopped_reason is not None:
                self._stop(news.stopped_reason)

    def _tell_gap(self) -> None:
        if self._unrecorded_samples:
            lost_s = self._unrecorded_samples / self._stream.sample_rate_hz
            self._say("recording-gap", self._now_s - lost_s, {"lost_s": round(lost_s, 3)})
            self._unrecorded_samples = 0

    def _stop(self, reason: str) -> None:
        self._stopped = True
        self._say("recording-stopped", self._now_s, {"reason": reason})

    @property
    def _now_s(self) -> float:
        return self._heard_samples / self._stream.sample_rate_hz

    def _say(self, name: str, start_s: float, fields: Mapping[str, str | float]) -> None:
        self._tell(Event(name, self._stream.source, start_s, self._now_s, fields))


def open_recorder(
    folder: Path, retention: Retention, session: RecordingSession, stream: Stream, tell: Callable[[Event], None]
) -> Recorder:
    """A recorder into `folder`, which is made for its owner alone where it is missing. Raises OutputError."""
    try:
        make_private_folder(folder)
    except OSError as error:
        raise OutputError(f"{folder}: no folder for recordings ({error.strerror}); choose another one") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: recordings cannot be written there; check its permissions, or choose another one")
    return Recorder(RecordingFolder(folder, session, retention), stream, tell)
