"""Breathing cycles in memory: conditioned sound with its label and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


LoadCycles = Callable[[Sequence[Recording], FeatureSpec], list[Cycle]]
"""`read_cycles`, or the same from a `CycleStore`."""


class CycleStore:
    """Cycles kept in memory, for commands that train several times on the same recordings.

    About 90 recordings are read and conditioned a second; a cross-validation asks for each of them many times.
    """

    def __init__(self) -> None:
        self._cycles: dict[tuple[object, ...], list[Cycle]] = {}

    def load(self, recordings: Sequence[Recording], spec: FeatureSpec) -> list[Cycle]:
        """As `read_cycles`, each recording read once for each way of conditioning."""
        keys = [_conditioning_key(recording, spec) for recording in recordings]
        missing = [each for each, key in zip(recordings, keys, strict=True) if key not in self._cycles]
        self._cycles |= {_conditioning_key(recording, spec): [] for recording in missing}
        by_name = {(each.dataset, each.name): _conditioning_key(each, spec) for each in missing}
        for cycle in read_cycles(missing, spec):
            self._cycles[by_name[cycle.dataset, cycle.recording]].append(cycle)
        return [cycle for key in keys for cycle in self._cycles[key]]


def read_cycles(recordings: Sequence[Recording], spec: FeatureSpec) -> list[Cycle]:
    """`load_cycles` with a progress bar on a terminal."""
    return load_cycles(recordings, spec, progress=True)


def _conditioning_key(recording: Recording, spec: FeatureSpec) -> tuple[object, ...]:
    # Only what happens before cycles are cut: windows of another length come from the same cycles.
    band = (spec.bandpass_order, spec.bandpass_low_hz, spec.bandpass_high_hz)
    return (recording.audio_path, recording.annotations, spec.sample_rate_hz, *band)


def load_cycles(recordings: Sequence[Recording], spec: FeatureSpec, *, progress: bool = False) -> list[Cycle]:
    """Read, condition and cut every annotated recording, in the given order. Raises as `cut_recording`."""
    annotated = [recording for recording in recordings if recording.annotations]
    with ThreadPoolExecutor(max_workers=2) as pool:
        lists: Iterable[list[Cycle]] = pool.map(lambda recording: cut_recording(recording, spec), annotated)
        lists = tqdm(lists, total=len(annotated), desc="reading", unit="file", disable=None if progress else True)
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
