"""A recording as the device hears it: its annotated cycles with the marks given, and windows without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.annotated_cycles import results_from_cycles
from edge.annotations import Cycle
from edge.audio.block import AudioBlock
from edge.audio.recording import Recording as Sound
from edge.audio.recording import RecordingSource, read_recording
from edge.intake import Intake
from edge.labels import LABELS
from edge.pipeline import Classifier, Pipeline, Stretch
from edge.results import Result
from edge.signal.padding import repeat_to_length
from train.recording import Annotation, Recording


@dataclass(frozen=True)
class HeardRecording:
    """Results of one recording, both ways."""

    patient: str
    device: str
    sound_s: float
    cycles: tuple[Result, ...]
    """One for each annotated cycle, cut at its marks; `annotated` is its class."""
    windows: tuple[Result, ...]
    """Of the whole recording, as `respire-edge listen` gives them."""
    abnormal_threshold: float | None = None
    """Of the operating point that labels were decided at; None: the likeliest class was the label."""


def hear(recording: Recording, classifier: Classifier, hop_s: float, breath_s: float | None) -> HeardRecording:
    """Both kinds of results. With `breath_s`, windows hold that much sound, repeated as cycles are.

    Raises edge's RecordingError, AnnotationError, UsageError.
    """
    sound = read_recording(recording.audio_path)
    cycles = [_cycle_from_annotation(annotation) for annotation in recording.annotations]
    if breath_s is None:
        windows = tuple(_listen(recording, classifier, hop_s))
    else:
        windows = tuple(_breaths(recording, sound, classifier, hop_s, breath_s))
    point = classifier.operating_point
    return HeardRecording(
        patient=recording.patient,
        device=recording.device,
        sound_s=sound.samples.size / sound.sample_rate_hz,
        cycles=tuple(results_from_cycles(classifier, recording.name, sound.sample_rate_hz, [_block(sound)], cycles)),
        windows=windows,
        abnormal_threshold=None if point is None else point.abnormal_threshold,
    )


def _listen(recording: Recording, classifier: Classifier, hop_s: float) -> Iterator[Result]:
    with RecordingSource(recording.audio_path) as source:
        pipeline = Pipeline(classifier, recording.name, source.sample_rate_hz, hop_s)
        for block in source.blocks():
            yield from pipeline.push(block)
        yield from pipeline.finish()


def _breaths(
    recording: Recording, sound: Sound, classifier: Classifier, hop_s: float, breath_s: float
) -> Iterator[Result]:
    spec = classifier.bundle.spec
    intake = Intake(sound.sample_rate_hz, spec)
    conditioned = np.concatenate([*intake.push(_block(sound)), intake.finish()])
    length, hop = round(breath_s * spec.sample_rate_hz), round(hop_s * spec.sample_rate_hz)
    for start in range(0, max(1, conditioned.size - length + 1), hop):
        cut = conditioned[start : start + length]
        start_s, end_s = start / spec.sample_rate_hz, (start + cut.size) / spec.sample_rate_hz
        repeated = [repeat_to_length(cut, spec.window_samples)]
        yield classifier.classify(
            recording.name, Stretch(start_s, end_s, cut, repeated, intake.evidence(start_s, end_s))
        )


def _block(sound: Sound) -> AudioBlock:
    return AudioBlock(sound.samples, 0, sound.invalid_at, sound.clipped_at)


def _cycle_from_annotation(annotation: Annotation) -> Cycle:
    label = LABELS[annotation.label]
    return Cycle(annotation.start_s, annotation.end_s, label in ("crackle", "both"), label in ("wheeze", "both"))
