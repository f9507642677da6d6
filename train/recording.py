"""An annotated recording on disk, as every dataset reader returns it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Annotation:
    """One labelled stretch of a recording: a breathing cycle (ICBHI) or a respiratory event (SPRSound)."""

    start_s: float
    end_s: float
    label: int
    """Index into `edge.labels.LABELS`."""


@dataclass(frozen=True)
class Recording:
    """An audio file with its annotations; no sound is read until cycles are cut."""

    name: str
    audio_path: Path
    dataset: str
    """`icbhi` or `sprsound`."""
    subset: str
    """The part of the dataset that it was published in, such as `train` or `intra`; empty where there are no parts."""
    patient: str
    device: str
    annotations: tuple[Annotation, ...]
