"""Breathing cycles in memory: conditioned sound with its label and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.annotations import END_TOLERANCE_S
from edge.audio.recording import read_recording
from edge.signal.conditioning import condition_recording
from edge.signal.spec import FeatureSpec
from train.errors import DatasetError
from train.recording import Recording


@dataclass(frozen=True, eq=False)
class Cycle:
    """One annotated stretch of conditioned sound."""

    samples: NDArray[np.float32]
    """[n] at the spec's sample rate, after resampling and band-pass of the whole recording."""
    label: int
    patient: str
    device: str
    dataset: str
    recording: str
    index: int
    """Position in its recording, from 0; smart padding looks at the neighbours."""


def load_cycles(recordings: Sequence[Recording], spec: FeatureSpec, *, progress: bool = False) -> list[Cycle]:
    """Read, condition and cut every annotated recording, in the given order. Raises as `cut_recording`."""
    annotated = [recording for recording in recordings if recording.annotations]
    with ThreadPoolExecutor(max_workers=2) as pool:
        lists: Iterable[list[Cycle]] = pool.map(lambda recording: cut_recording(recording, spec), annotated)
        lists = tqdm(lists, total=len(annotated), desc="reading", unit="file", disable=not progress)
        return [cycle for cycles in lists for cycle in cycles]


def cut_recording(recording: Recording, spec: FeatureSpec) -> list[Cycle]:
    """The cycles of one recording, conditioned as a whole and then cut.

    Raises DatasetError where an annotation passes the end, edge's RecordingError where the file is not sound.
    """
    sound = read_recording(recording.audio_path)
    duration_s = sound.samples.size / sound.sample_rate_hz
    last_end_s = max(annotation.end_s for annotation in recording.annotations)
    if last_end_s > duration_s + END_TOLERANCE_S:
        raise DatasetError(
            f"{recording.audio_path} lasts {duration_s:.3f} s, but an annotation ends at {last_end_s:.3f} s; "
            "the recording is cut short or the annotation belongs to another"
        )
    conditioned = condition_recording(sound.samples, sound.sample_rate_hz, spec)
    return list(_cut(conditioned, recording, spec.sample_rate_hz))


def _cut(conditioned: NDArray[np.float32], recording: Recording, rate_hz: int) -> Iterable[Cycle]:
    for index, annotation in enumerate(recording.annotations):
        samples = conditioned[round(annotation.start_s * rate_hz) : round(annotation.end_s * rate_hz)]
        if samples.size:
            yield Cycle(
                samples=samples,
                label=annotation.label,
                patient=recording.patient,
                device=recording.device,
                dataset=recording.dataset,
                recording=recording.name,
                index=index,
            )
