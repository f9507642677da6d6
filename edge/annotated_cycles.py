"""Results for the breathing cycles that somebody annotated beside a recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.annotations import Cycle
from edge.audio.block import AudioBlock
from edge.coughs_and_voices.hearing import DECIDED_AFTER_S
from edge.errors import AnnotationError
from edge.intake import Intake
from edge.pipeline import Classifier, Stretch
from edge.results import Result
from edge.signal.windows import windows_from_cycle

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Annotated:
    """A cycle that waits for its sound, with its line in the annotations, from 0."""

    index: int
    cycle: Cycle
    needed_from_s: float
    """Where the first of this cycle and all those that end later begins."""


def results_from_cycles(
    classifier: Classifier, source: str, sample_rate_hz: int, blocks: Iterable[AudioBlock], cycles: Sequence[Cycle]
) -> Iterator[Result]:
    """One result for each annotated cycle, in their order, cut from the conditioned sound of `blocks`; long ones
    average their windows.

    No more sound is held than from the first cycle that is not done to the newest block. Raises AnnotationError for a
    cycle that holds no sample of the sound, EngineError, and what reading `blocks` raises.
    """
    early: dict[int, Result] = {}
    told = 0
    for result in _as_they_end(classifier, source, sample_rate_hz, blocks, cycles):
        early[result.cycle or 0] = result
        while told in early:
            yield early.pop(told)
            told += 1


def _as_they_end(
    classifier: Classifier, source: str, sample_rate_hz: int, blocks: Iterable[AudioBlock], cycles: Sequence[Cycle]
) -> Iterator[Result]:
    """The results in the order in which the cycles end."""
    spec = classifier.bundle.spec
    intake = Intake(sample_rate_hz, spec)
    waiting = _in_order_of_their_ends(cycles)
    held, held_from = np.zeros(0, np.float32), 0
    for sound, is_last in _conditioned(intake, blocks):
        held = np.concatenate([held, sound])
        end = held_from + held.size
        while waiting and (is_last or (waiting[0].cycle.end_s + DECIDED_AFTER_S) * spec.sample_rate_hz <= end):
            yield _result(classifier, source, intake, waiting.popleft(), held, held_from)
        kept_s = waiting[0].needed_from_s if waiting else end / spec.sample_rate_hz
        cut = min(max(round(kept_s * spec.sample_rate_hz) - held_from, 0), held.size)
        held, held_from = held[cut:], held_from + cut
        intake.forget_before(min(kept_s, held_from / spec.sample_rate_hz))


def _in_order_of_their_ends(cycles: Sequence[Cycle]) -> deque[Annotated]:
    by_end = sorted(enumerate(cycles), key=lambda each: each[1].end_s, reverse=True)
    ordered = deque[Annotated]()
    for index, cycle in by_end:
        earliest_s = min(cycle.start_s, ordered[0].needed_from_s) if ordered else cycle.start_s
        ordered.appendleft(Annotated(index, cycle, earliest_s))
    return ordered


def _conditioned(intake: Intake, blocks: Iterable[AudioBlock]) -> Iterator[tuple[Float32, bool]]:
    """The sound in pieces, and whether a piece is the last."""
    for block in blocks:
        for sound in intake.push(block):
            yield sound, False
    yield intake.finish(), True


def _result(
    classifier: Classifier, source: str, intake: Intake, annotated: Annotated, held: Float32, held_from: int
) -> Result:
    """Of one cycle; `held` begins with sample `held_from` of the sound."""
    cycle, rate_hz = annotated.cycle, classifier.bundle.spec.sample_rate_hz
    start, end = (round(time_s * rate_hz) - held_from for time_s in (cycle.start_s, cycle.end_s))
    cut = held[start:end]
    if cut.size == 0:
        span = f"{cycle.start_s} s to {cycle.end_s} s"
        raise AnnotationError(f"{source}: the cycle from {span} holds no sample; correct its annotation")
    evidence = intake.evidence(cycle.start_s, cycle.end_s, waited=True)
    stretch = Stretch(cycle.start_s, cycle.end_s, cut, windows_from_cycle(cut, classifier.bundle.spec), evidence)
    return replace(classifier.classify(source, stretch), cycle=annotated.index, annotated=cycle.label)
