"""Results for the breathing cycles that somebody annotated beside a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from edge.annotations import Cycle
from edge.audio.block import AudioBlock
from edge.audio.recording import Recording
from edge.errors import AnnotationError
from edge.intake import Intake
from edge.pipeline import Classifier, Stretch
from edge.results import Result
from edge.signal.windows import windows_from_cycle


def results_from_cycles(
    classifier: Classifier, source: str, recording: Recording, cycles: Sequence[Cycle]
) -> Iterator[Result]:
    """One result for each annotated cycle, cut from the conditioned recording; long ones average their windows.

    Raises AnnotationError for a cycle that holds no sample of the sound, and EngineError.
    """
    spec = classifier.bundle.spec
    intake = Intake(recording.sample_rate_hz, spec)
    everything = AudioBlock(recording.samples, 0, recording.invalid_at, recording.clipped_at)
    sound = np.concatenate([*intake.push(everything), intake.finish()])
    for index, cycle in enumerate(cycles):
        cut = sound[round(cycle.start_s * spec.sample_rate_hz) : round(cycle.end_s * spec.sample_rate_hz)]
        if cut.size == 0:
            span = f"{cycle.start_s} s to {cycle.end_s} s"
            raise AnnotationError(f"{source}: the cycle from {span} holds no sample; correct its annotation")
        evidence = intake.evidence(cycle.start_s, cycle.end_s)
        stretch = Stretch(cycle.start_s, cycle.end_s, cut, windows_from_cycle(cut, spec), evidence)
        yield replace(classifier.classify(source, stretch), cycle=index, annotated=cycle.label)
