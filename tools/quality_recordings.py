"""The annotated recordings that quality is measured on, half of the patients at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.annotations import annotations_beside, read_annotations
from edge.audio.recording import read_recording
from edge.profiles import Profile, profile_from_icbhi_token
from edge.signal.spec import COMPACT

TUNING, HELD_OUT = "tuning", "held-out"
HOP_S = 3.5


@dataclass(frozen=True)
class Original:
    """A recording, as it was published."""

    name: str
    patient: int
    profile: Profile
    samples: NDArray[np.float32]
    sample_rate_hz: int
    cycles_s: tuple[tuple[float, float], ...]
    """Start and end of each annotated breathing cycle."""

    @property
    def windows_s(self) -> tuple[tuple[float, float], ...]:
        """Start and end of each window that listening at a hop of `HOP_S` would judge; all of a shorter recording."""
        length_s = self.samples.size / self.sample_rate_hz
        starts = np.arange(0, max(length_s - COMPACT.window_s, 0) + 1e-6, HOP_S).tolist()
        return tuple((start, min(start + COMPACT.window_s, length_s)) for start in starts)


def read_originals(folder: Path, half: str) -> Iterator[Original]:
    """The recordings of every second patient of each stethoscope, by number: the first of them is for tuning."""
    by_device: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".flac")):
        by_device[path.stem.rsplit("_", 1)[-1]].append(path)
    for own in by_device.values():
        patients = sorted({_patient(path) for path in own})
        wanted = patients[0 if half == TUNING else 1 :: 2]
        yield from (_read(path) for path in own if _patient(path) in wanted)


def _patient(path: Path) -> int:
    return int(path.name.split("_")[0])


def _read(path: Path) -> Original:
    recording = read_recording(path)
    cycles_s = tuple((cycle.start_s, cycle.end_s) for cycle in read_annotations(annotations_beside(path)))
    profile = profile_from_icbhi_token(path.name)
    return Original(path.stem, _patient(path), profile, recording.samples, recording.sample_rate_hz, cycles_s)
