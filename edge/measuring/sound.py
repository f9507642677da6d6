"""A few seconds of sound over and over, in the blocks that a sound card delivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock, block_from_channels
from edge.audio.lung_sounds import simulate_cycle
from edge.audio.recording import RecordingSource
from edge.labels import LABELS

SAMPLE_RATE_HZ = 48_000
"""Of nearly every sound card."""
CHANNELS = 2
BLOCK_S = 0.1
LOOP_S = 20.0
"""At most 4 MB, whatever the length of a recording."""
SEED = 2017


@dataclass(frozen=True, eq=False)
class SoundLoop:
    """What is played."""

    name: str
    samples: NDArray[np.float32]
    """float32 [n], mono."""
    sample_rate_hz: int

    def blocks(self, duration_s: float) -> Iterator[AudioBlock]:
        """Blocks of `BLOCK_S`, made as from a card of two channels, for `duration_s`."""
        frames = round(BLOCK_S * self.sample_rate_hz)
        for number in range(round(duration_s / BLOCK_S)):
            places = np.arange(number * frames, (number + 1) * frames) % self.samples.size
            yield block_from_channels(np.repeat(self.samples[places, np.newaxis], CHANNELS, axis=1))


def simulated_loop() -> SoundLoop:
    """A simulated breath of each label; no patient's sound."""
    rng = np.random.default_rng(SEED)
    breaths = [simulate_cycle(label, SAMPLE_RATE_HZ, rng) for label in LABELS]
    return SoundLoop("simulated", np.concatenate(breaths), SAMPLE_RATE_HZ)


def loop_from_recording(path: Path) -> SoundLoop:
    """The first `LOOP_S` of a WAV or FLAC file. Raises RecordingError; the name of the file is nobody's business."""
    samples: list[NDArray[np.float32]] = []
    with RecordingSource(path) as source:
        for block in source.blocks():
            samples.append(block.samples)
            if sum(each.size for each in samples) >= LOOP_S * source.sample_rate_hz:
                break
        loop = np.concatenate(samples)[: round(LOOP_S * source.sample_rate_hz)]
        return SoundLoop("recording", loop, source.sample_rate_hz)
