"""`respire-edge listen` in this process on a sound card that never stops, faster than real time; prints what it cost.

Started by `benchmarks.soak`: `python -m benchmarks.soak_probe SOUND_S SPEED ARGUMENTS_OF_LISTEN`.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.resident_memory import resident_mb
from benchmarks.simulated_sound import breathing
from edge.audio.block import AudioBlock, Float32, block_from_channels
from edge.audio.pacing import Pace, paced
from edge.audio.source import AudioSource
from edge.cli import main as respire_edge

SAMPLE_RATE_HZ = 48_000
CHANNELS = 2
BLOCK_S = 0.1
"""All three as a sound card delivers them."""
LOOP_S = 20.0
"""Breathing that is heard over and over; 4 MB of what is resident."""
MEMORY_EVERY_S = 60.0


class TirelessSource(AudioSource):
    """Breathing for `sound_s`, `speed` times as fast as real time, which notes how long each block kept `listen`."""

    name = "soak"
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, sound_s: float, speed: float) -> None:
        self._loop = breathing(LOOP_S, SAMPLE_RATE_HZ)
        self._blocks = round(sound_s / BLOCK_S)
        self._pace = Pace(clock=lambda: time.monotonic() * speed, sleep=lambda wait_s: time.sleep(wait_s / speed))
        self.busy_s: list[float] = []
        """For each block, from its last sample being there until `listen` asked for the next one."""
        self.resident_mb: list[float] = []
        self.begin_cpu_s = 0.0

    def blocks(self) -> Iterator[AudioBlock]:
        self.begin_cpu_s = time.process_time()
        for number, block in enumerate(paced(self._captured(), SAMPLE_RATE_HZ, self._pace)):
            if number % round(MEMORY_EVERY_S / BLOCK_S) == 0:
                self.resident_mb.append(resident_mb())
            begin_s = time.perf_counter()
            yield block
            self.busy_s.append(time.perf_counter() - begin_s)
        self.resident_mb.append(resident_mb())

    def close(self) -> None:
        """Nothing is held."""

    def _captured(self) -> Iterator[AudioBlock]:
        for number in range(self._blocks):
            yield block_from_channels(self._block(number))

    def _block(self, number: int) -> Float32:
        frames = round(BLOCK_S * SAMPLE_RATE_HZ)
        start = number * frames % len(self._loop)
        return np.repeat(self._loop[start : start + frames, np.newaxis], CHANNELS, axis=1)


def main() -> int:
    sound_s, speed, arguments = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    source = TirelessSource(sound_s, speed)

    def opened(*_arguments: Any, **_options: Any) -> TirelessSource:
        return source

    with patch("edge.listen.open_source", opened):
        code = respire_edge(["listen", *arguments])
    cpu_s = time.process_time() - source.begin_cpu_s
    print(json.dumps({"busy_s": source.busy_s, "resident_mb": source.resident_mb, "cpu_s": cpu_s}))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
