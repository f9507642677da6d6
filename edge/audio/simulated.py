"""The demo's source: a simulated auscultation that says what it holds, to be seen beside what a model says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.audio.block import AudioBlock, block_from_channels
from edge.audio.lung_sounds import CYCLE_S, simulate_cycle
from edge.audio.pacing import Pace, paced
from edge.audio.source import AudioSource, Section

SAMPLE_RATE_HZ = 16000
"""Not the features' rate, so that the demo goes through the resampler as a sound card's sound does."""
CYCLES_PER_SECTION = 4
"""14 s: some windows of 7 s lie wholly inside."""
SECTION_ORDER = ("normal", "wheeze", "crackle", "both")
BLOCKS_PER_CYCLE = 35
"""0.1 s each, as from a microphone."""
DEMO_SEED = 2017


class SimulatedSource(AudioSource):
    """Four sections of breathing, one for each label, 56 s in all. Simulated: no patient's sound."""

    def __init__(self, rng: np.random.Generator | None = None, pace: Pace | None = None) -> None:
        """The same sound for the same `rng`, the demo's own by default; with a `pace`, as fast as it would sound."""
        self.name = "demo (simulated)"
        self.sample_rate_hz = SAMPLE_RATE_HZ
        self.sections = tuple(_section(index, label) for index, label in enumerate(SECTION_ORDER))
        self._rng = rng or np.random.default_rng(DEMO_SEED)
        self._pace = pace

    def blocks(self) -> Iterator[AudioBlock]:
        return paced(self._blocks(), self.sample_rate_hz, self._pace)

    def close(self) -> None:
        """Nothing is held."""

    def _blocks(self) -> Iterator[AudioBlock]:
        for section in self.sections:
            for _ in range(CYCLES_PER_SECTION):
                cycle = simulate_cycle(section.label, self.sample_rate_hz, self._rng)
                for samples in np.array_split(cycle, BLOCKS_PER_CYCLE):
                    yield block_from_channels(samples[:, np.newaxis])


def _section(index: int, label: str) -> Section:
    length_s = CYCLES_PER_SECTION * CYCLE_S
    return Section(index * length_s, (index + 1) * length_s, label)
