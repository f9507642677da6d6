"""One file of a recording: sound as it was heard, and beside it, as JSON, what was said about it.

The sidecar names no patient, no input, no serial number and no path:

```json
{"schema": 1, "record": "recording", "session": "3f9a…", "number": 1, "complete": true,
 "begun_utc": "2026-01-14T15:30Z", "start_s": 0.0, "end_s": 600.0, "sample_rate_hz": 44100, "device": "littmann3200",
 "simulated": false, "model": "common@1f0c", "engine": "onnxruntime-cpu-int8", "operating_point": "balanced",
 "gaps": [{"start_s": 3.2, "end_s": 3.3, "reason": "lost"}],
 "results": [{"start_s": 0.0, "end_s": 7.0, "label": "normal", "probabilities": {}, "quality": {}}],
 "events": [{"event": "source-lost", "start_s": 3.2, "end_s": 3.2}], "intended_use": "research"}
```

Times are those of the stream. A gap is silence in the sound, unless it lies before `start_s`: a long one ended the file
before. Results and events are listed where they end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from edge.events import Event
from edge.private_file import open_private
from edge.recorder.growing_wave import GrowingWave, Int16
from edge.recorder.retention import PARTIAL_SUFFIX, SIDECAR_SUFFIX, SOUND_SUFFIX, stem_from_start
from edge.results import INTENDED_USE, Result, record_from_event, record_from_result

SCHEMA = 1
OWN_WORDS = ("label", "cause")
"""Fields of events whose text is chosen from a list of this program's."""
RESULT_FIELDS = ("start_s", "end_s", "label", "probabilities", "quality")
LOST, NOT_RECORDED = "lost", "not-recorded"
"""Why sound is missing: it never came from its source; the disk was too slow for it."""


@dataclass(frozen=True)
class RecordingSession:
    """What is the same in all files of one run."""

    session_id: str
    """Random: 16 hex digits."""
    device: str
    """The stethoscope's profile, not the device in use."""
    model: str
    engine: str
    sample_rate_hz: int
    simulated: bool
    """Made by this program, nobody's breath."""
    operating_point: str | None = None
    """What labels are decided at; None where the model has none."""


@dataclass(frozen=True)
class Gap:
    """Sound that was not heard, or not recorded."""

    start_s: float
    end_s: float
    reason: str
    """`LOST` or `NOT_RECORDED`."""


@dataclass(frozen=True)
class Notes:
    """What a sidecar lists, in the order in which it came."""

    gaps: list[Gap] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def split_at(self, time_s: float) -> tuple[Notes, Notes]:
        """What had ended by `time_s`, and what ended later."""
        return self._chosen(lambda note: note.end_s <= time_s), self._chosen(lambda note: note.end_s > time_s)

    def _chosen(self, is_chosen: Callable[[Gap | Result | Event], bool]) -> Notes:
        return Notes(
            list(filter(is_chosen, self.gaps)),
            list(filter(is_chosen, self.results)),
            list(filter(is_chosen, self.events)),
        )


class RecordedFile:
    """A file being recorded. Every method raises OSError."""

    def __init__(
        self, folder: Path, session: RecordingSession, number: int, start_sample: int, begun: datetime
    ) -> None:
        """Make the `number`-th file of a session in `folder`; `begun` is UTC, of which the minute is kept."""
        self.start_sample = self.end_sample = start_sample
        self._session = session
        self._number = number
        self._begun = begun
        stem = folder / stem_from_start(begun, session.session_id, number)
        self._sidecar = stem.with_suffix(SIDECAR_SUFFIX)
        self.name = f"{stem.name}{SOUND_SUFFIX}"
        self._wave = GrowingWave(folder / self.name, session.sample_rate_hz)

    def append(self, samples: Int16) -> None:
        """Add sound."""
        self._wave.append(samples)
        self.end_sample += samples.size

    def sync(self) -> None:
        """Bring the sound so far to the disk."""
        self._wave.sync()

    def write_sidecar(self, notes: Notes, *, complete: bool = False) -> None:
        """Replace the sidecar by one with these notes."""
        rate_hz = self._session.sample_rate_hz
        record = {
            "schema": SCHEMA,
            "record": "recording",
            "session": self._session.session_id,
            "number": self._number,
            "complete": complete,
            "begun_utc": f"{self._begun:%Y-%m-%dT%H:%MZ}",
            "start_s": round(self.start_sample / rate_hz, 4),
            "end_s": round(self.end_sample / rate_hz, 4),
            **{name: value for name, value in asdict(self._session).items() if name != "session_id"},
            "gaps": [asdict(gap) for gap in notes.gaps],
            "results": [_said_of(result) for result in notes.results],
            "events": [_nameless(event) for event in notes.events],
            "intended_use": INTENDED_USE,
        }
        _replace(self._sidecar, json.dumps(record, allow_nan=False))

    def close(self, notes: Notes) -> None:
        """Finish the sound and its sidecar."""
        try:
            self._wave.close()
        finally:
            self.write_sidecar(notes, complete=True)


def _said_of(result: Result) -> dict[str, Any]:
    record = record_from_result(result)
    return {name: record[name] for name in RESULT_FIELDS}


def _nameless(event: Event) -> dict[str, Any]:
    """An event without its source, and without text but where it is one of our own words: others may name an input."""
    shown = {name: value for name, value in event.fields.items() if not isinstance(value, str) or name in OWN_WORDS}
    record = record_from_event(Event(event.name, "", event.start_s, event.end_s, shown))
    return {name: value for name, value in record.items() if name not in ("schema", "record", "source", "intended_use")}


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}{PARTIAL_SUFFIX}")
    try:
        with open_private(partial, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # on a full disk the old sidecar stays
        raise
