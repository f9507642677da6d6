"""Sound through the real pipeline, and what that took."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge.audio.block import AudioBlock
from edge.bundle import Bundle
from edge.checks.host import Host
from edge.engine.engine import Engine
from edge.measuring.resources import maybe_peak_mb, maybe_resident_mb
from edge.measuring.stages import StageClock, StageTimes, TimedEngine
from edge.operating_point import chosen_point
from edge.pipeline import Classifier, Pipeline
from edge.profiles import Profile
from edge.results import JsonLinesWriter, Result

WARM_UP_RESULTS = 10
"""The first ones find cold caches, and libraries that set themselves up; they belong to the start."""


@dataclass(frozen=True)
class Measurement:
    """Of the results after the warm-up."""

    stages: tuple[StageTimes, ...]
    unlabelled: int
    """Of them, how many had no label, because the sound was not fit for one."""
    sound_s: float
    busy_s: float
    """Between a block being there and the pipeline being ready for the next one, all blocks together."""
    processor_s: float
    """Processor time of every thread, for the same blocks and for making them."""
    resident_mb: float | None
    growth_mb: float | None
    """Since the end of the warm-up."""
    peak_mb: float | None


class Meter:
    """Pushes blocks, one after the other, and notes what each took."""

    def __init__(
        self,
        profile: Profile,
        bundle: Bundle,
        engine: Engine,
        sample_rate_hz: int,
        hop_s: float,
        clock: StageClock | None = None,
    ) -> None:
        self._clock = clock or StageClock()
        point = chosen_point(bundle.operating_points, None, bundle.model_id)
        classifier = Classifier(profile, bundle, TimedEngine(engine, self._clock), self._clock, point)
        self._pipeline = Pipeline(classifier, "bench", sample_rate_hz, hop_s)
        self._sample_rate_hz = sample_rate_hz

    def push(self, block: AudioBlock, writer: JsonLinesWriter) -> list[Result]:
        """As `listen` does it: the results of the next block, written."""
        self._clock.restart()
        results = self._pipeline.push(block)
        self._clock()
        for result in results:
            writer.write(result)
        self._clock()
        return results

    def measure(self, blocks: Iterable[AudioBlock], host: Host) -> Measurement:
        """All `blocks`. Raises EngineError."""
        with _nowhere() as stream:
            return self._measure(iter(blocks), JsonLinesWriter(stream), host)

    def _measure(self, blocks: Iterator[AudioBlock], writer: JsonLinesWriter, host: Host) -> Measurement:
        self._warm_up(blocks, writer)
        resident_mb = maybe_resident_mb(host)
        stages: list[StageTimes] = []
        samples, unlabelled, busy_s, begin_cpu_s = 0, 0, 0.0, time.process_time()
        for block in blocks:
            begin_s = time.perf_counter()
            results = self.push(block, writer)
            busy_s += time.perf_counter() - begin_s
            samples += block.samples.size
            unlabelled += sum(result.label is None for result in results)
            if (times := self._clock.maybe_times()) is not None:
                stages.append(times)
        processor_s, after_mb = time.process_time() - begin_cpu_s, maybe_resident_mb(host)
        return Measurement(
            stages=tuple(stages),
            unlabelled=unlabelled,
            sound_s=samples / self._sample_rate_hz,
            busy_s=busy_s,
            processor_s=processor_s,
            resident_mb=after_mb,
            growth_mb=None if resident_mb is None or after_mb is None else after_mb - resident_mb,
            peak_mb=maybe_peak_mb(host),
        )

    def _warm_up(self, blocks: Iterator[AudioBlock], writer: JsonLinesWriter) -> None:
        heard = 0
        for block in blocks:
            heard += len(self.push(block, writer))
            if heard >= WARM_UP_RESULTS:
                return


@contextmanager
def _nowhere() -> Iterator[IO[str]]:
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        yield stream
