"""Sound to measure with: the project's own simulated auscultation, the same on every machine."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.lung_sounds import simulate_cycle
from edge.labels import LABELS


def breathing(duration_s: float, sample_rate_hz: int) -> NDArray[np.float32]:
    """Simulated breathing of every label in turn, float32 [n]."""
    rng = np.random.default_rng(2020)
    needed = round(duration_s * sample_rate_hz)
    cycles = [simulate_cycle(label, sample_rate_hz, rng) for label in LABELS]
    while sum(cycle.size for cycle in cycles) < needed:
        cycles += [simulate_cycle(label, sample_rate_hz, rng) for label in LABELS]
    return np.concatenate(cycles)[:needed].astype(np.float32)


def write_recordings(folder: Path, count: int, duration_s: float, sample_rate_hz: int) -> None:
    """`count` equal WAV files, 16 bit mono."""
    samples = np.clip(breathing(duration_s, sample_rate_hz) * 32767, -32768, 32767).astype("<i2")
    for index in range(count):
        with wave.open(str(folder / f"simulated_{index:02}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate_hz)
            file.writeframes(samples.tobytes())
