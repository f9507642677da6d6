"""Sound to measure with: the project's own simulated auscultation, the same on every machine."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.audio.lung_sounds import simulate_cycle
from edge.labels import LABELS

CYCLE_LENGTHS_S = (1.05, 1.93, 2.54, 3.37, 4.59)
"""Of ICBHI's 6898 annotated cycles so many hundredths are shorter: 5, 25, 50, 75, 95."""


def breathing(duration_s: float, sample_rate_hz: int) -> NDArray[np.float32]:
    """Simulated breathing of every label in turn, float32 [n]."""
    rng = np.random.default_rng(2020)
    needed = round(duration_s * sample_rate_hz)
    cycles = [simulate_cycle(label, sample_rate_hz, rng) for label in LABELS]
    while sum(cycle.size for cycle in cycles) < needed:
        cycles += [simulate_cycle(label, sample_rate_hz, rng) for label in LABELS]
    return np.concatenate(cycles)[:needed].astype(np.float32)


def simulated_cycles(sample_rate_hz: int) -> list[NDArray[np.float32]]:
    """A cycle of each label in each of `CYCLE_LENGTHS_S`, label by label."""
    rng = np.random.default_rng(2020)
    lengths = [round(length_s * sample_rate_hz) for length_s in CYCLE_LENGTHS_S]
    return [
        np.concatenate([simulate_cycle(label, sample_rate_hz, rng) for _ in range(2)])[:length]
        for label in LABELS
        for length in lengths
    ]


def write_recordings(folder: Path, count: int, duration_s: float, sample_rate_hz: int, suffix: str) -> None:
    """`count` equal recordings, 16 bit mono, in `folder`, which is made; `suffix` is wav or flac."""
    folder.mkdir()
    samples = breathing(duration_s, sample_rate_hz)
    for index in range(count):
        soundfile.write(folder / f"simulated_{index:02}.{suffix}", samples, sample_rate_hz, subtype="PCM_16")
