"""Whether recordings are as long as their annotations say, from the headers of the files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.annotations import END_TOLERANCE_S
from edge.audio.recording import RecordingSource
from edge.errors import RecordingError
from train.errors import DatasetError
from train.recording import Recording


@dataclass(frozen=True)
class CutShort:
    """A recording that ends before its annotations do."""

    recording: Recording
    duration_s: float
    last_end_s: float


def check_lengths(recordings: Sequence[Recording]) -> None:
    """Raise one DatasetError for all recordings that end before their annotations do.

    About 12,000 headers are read a second. A file that cannot be opened is passed over: reading it says what is wrong.
    """
    found = [short for recording in recordings if (short := _maybe_cut_short(recording))]
    if found:
        first, of = found[0], f"{len(found)} of {len(recordings)} recordings"
        raise DatasetError(
            f"{of} end before their annotations do, the first is {first.recording.audio_path}: it lasts "
            f"{first.duration_s:.3f} s, its last annotation ends at {first.last_end_s:.3f} s; sound and annotations "
            "are of different copies or cut short: take both from one (python -m train.data_report DIR lists all)"
        )


def _maybe_cut_short(recording: Recording) -> CutShort | None:
    if not recording.annotations:
        return None
    try:
        with RecordingSource(recording.audio_path, check_end=False) as source:
            duration_s = source.duration_s
    except RecordingError:
        return None
    last_end_s = max(annotation.end_s for annotation in recording.annotations)
    return CutShort(recording, duration_s, last_end_s) if last_end_s > duration_s + END_TOLERANCE_S else None
