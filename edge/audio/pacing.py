"""Sound that is already there, delivered as fast as it would be heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from edge.audio.block import AudioBlock


@dataclass(frozen=True)
class Pace:
    """The clock that a source keeps time by; a test passes its own."""

    clock: Callable[[], float] = time.monotonic
    """Seconds, never going back."""
    sleep: Callable[[float], None] = time.sleep
    """Waits for so many seconds."""


SYSTEM_PACE = Pace()


def paced(blocks: Iterable[AudioBlock], sample_rate_hz: int, pace: Pace | None) -> Iterator[AudioBlock]:
    """The same blocks, each not before its last sample would have been heard; at once if `pace` is None.

    Times count from the first block, so a slow consumer catches up and nothing drifts.
    """
    if pace is None:
        yield from blocks
        return
    start_s = pace.clock()
    heard_samples = 0
    for block in blocks:
        heard_samples += len(block.samples)
        early_s = start_s + heard_samples / sample_rate_hz - pace.clock()
        if early_s > 0:
            pace.sleep(early_s)
        yield block
