"""When each step of a result began, noted through what the pipeline takes from outside: its clock and its engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge.bundle import ModelFile
from edge.engine.engine import Engine

STAGES = ("conditioning", "image", "inference", "quality_decision", "writing", "result")
"""Resampling and band-pass of the block that completes a window; its image; the network; calibration, quality and
decision; the line of JSON; and all of them, from the last sample in to the result out."""
MARKS_PER_RESULT = 4
"""`Classifier.classify` begins, the engine begins, the engine ends, the probabilities are there."""


@dataclass(frozen=True)
class StageTimes:
    """How long one result took, in seconds."""

    conditioning: float
    image: float
    inference: float
    quality_decision: float
    writing: float
    result: float


class StageClock:
    """A clock for `Classifier` that remembers when it was looked at."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._marks: list[float] = []

    def __call__(self) -> float:
        """The time in seconds, which is noted."""
        now_s = self._clock()
        self._marks.append(now_s)
        return now_s

    def restart(self) -> None:
        """Forget what was noted, and note the beginning: a block's last sample is there."""
        self._marks.clear()
        self()

    def maybe_times(self) -> StageTimes | None:
        """The steps since `restart`, of which `push` and writing have just ended; None unless it was one result."""
        if len(self._marks) != MARKS_PER_RESULT + 3:
            return None
        begin, classify, infer, inferred, _, pushed, written = self._marks
        return StageTimes(
            conditioning=classify - begin,
            image=infer - classify,
            inference=inferred - infer,
            quality_decision=pushed - inferred,
            writing=written - pushed,
            result=written - begin,
        )


class TimedEngine:
    """An engine that looks at a clock before and after each call of another one."""

    def __init__(self, engine: Engine, clock: StageClock) -> None:
        self.name = engine.name
        self.model: ModelFile = engine.model
        self._engine = engine
        self._clock = clock

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As the other engine."""
        self._clock()
        probabilities = self._engine.infer(images)
        self._clock()
        return probabilities

    def close(self) -> None:
        """Free what the other engine holds."""
        self._engine.close()

    def __enter__(self) -> TimedEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
