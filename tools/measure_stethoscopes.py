"""What the ICBHI recordings say about each stethoscope: the figures behind `edge/profiles/*.json`.

    python -m tools.measure_stethoscopes --data ICBHI_FOLDER

prints one Markdown row per device and one for all: native rates; the band in which the median spectrum stays within
60 dB of its peak; and, over the windows that the device side would classify, their level once conditioned and the share
of their samples that stood at full scale before.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.recording import Recording, read_recording
from edge.signal.conditioning import condition_recording
from edge.signal.spec import COMPACT

HOP_S = 1.0
BAND_RANGE_DB = 60.0
SPECTRUM_STEP_HZ = 25
"""Power is averaged over so many hertz: sharp peaks of hum do not stand for the stethoscope."""


HEADER = """\
| device | recordings | rates (Hz) | band (Hz) | level (dBFS): least, 1 %, median | clipped: median, 90 %, 99 %, most |
| --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Measured:
    """One recording."""

    sample_rate_hz: int
    spectrum_db: NDArray[np.float64]
    """Median power in steps of `SPECTRUM_STEP_HZ` up to half the lowest rate, relative to its peak."""
    window_levels_dbfs: NDArray[np.float64]
    window_clipped_shares: NDArray[np.float64]


def main(argv: list[str] | None = None) -> int:
    """Measure every recording under `--data` and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with PATIENT_INDEX_LOCATION_MODE_DEVICE files")
    paths = sorted(path for path in parser.parse_args(argv).data.rglob("*") if path.suffix in (".wav", ".flac"))
    by_device: dict[str, list[Measured]] = defaultdict(list)
    for path in paths:
        by_device[path.stem.rsplit("_", 1)[-1]].append(measure(read_recording(path)))
    print(HEADER)
    for device, measured in sorted(by_device.items()):
        print(table_row(device, measured))
    print(table_row("all", [recording for measured in by_device.values() for recording in measured]))
    return 0


def measure(recording: Recording) -> Measured:
    """Rate, band, and level and clipping of each window of one recording."""
    conditioned = condition_recording(recording.samples, recording.sample_rate_hz, COMPACT)
    clipped = np.zeros(len(recording.samples))
    clipped[recording.clipped_at] = 1
    power = _window_means(np.square(conditioned, dtype=np.float64), COMPACT.sample_rate_hz)
    return Measured(
        recording.sample_rate_hz,
        median_spectrum_db(recording),
        10 * np.log10(np.maximum(power, 1e-12)),
        _window_means(clipped, recording.sample_rate_hz),
    )


def median_spectrum_db(recording: Recording) -> NDArray[np.float64]:
    """Median over one-second spectra, in steps of `SPECTRUM_STEP_HZ` from 0 to 2 kHz, relative to its peak."""
    frame = recording.sample_rate_hz
    frames = recording.samples[: len(recording.samples) // frame * frame].reshape(-1, frame)
    power = np.median(np.square(np.abs(np.fft.rfft(frames * np.hanning(frame), axis=1))), axis=0)
    steps = power[: COMPACT.sample_rate_hz // 2].reshape(-1, SPECTRUM_STEP_HZ).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(steps, 1e-12) / steps.max()))


def band_hz(measured: Sequence[Measured]) -> tuple[int, int]:
    """The outermost frequencies at which the median spectrum lies within `BAND_RANGE_DB` of its peak."""
    spectrum_db = np.median([recording.spectrum_db for recording in measured], axis=0)
    inside = np.flatnonzero(spectrum_db >= spectrum_db.max() - BAND_RANGE_DB)
    return int(inside[0]) * SPECTRUM_STEP_HZ, int(inside[-1] + 1) * SPECTRUM_STEP_HZ


def table_row(device: str, measured: Sequence[Measured]) -> str:
    """One device as a Markdown row."""
    rates = Counter(recording.sample_rate_hz for recording in measured)
    low_hz, high_hz = band_hz(measured)
    levels = np.percentile(np.concatenate([recording.window_levels_dbfs for recording in measured]), [0, 1, 50])
    shares = np.percentile(
        np.concatenate([recording.window_clipped_shares for recording in measured]), [50, 90, 99, 100]
    )
    return (
        f"| {device} | {len(measured)} | {', '.join(f'{rate} ({count})' for rate, count in sorted(rates.items()))} "
        f"| {low_hz}-{high_hz} | {', '.join(f'{level:.1f}' for level in levels)} "
        f"| {', '.join(f'{share:.2%}' for share in shares)} |"
    )


def _window_means(values: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float64]:
    """Mean over each window of `COMPACT.window_s`, a hop apart; over everything where that is shorter."""
    window = min(round(COMPACT.window_s * sample_rate_hz), len(values))
    total = np.concatenate([[0.0], np.cumsum(values)])
    starts = np.arange(0, len(values) - window + 1, round(HOP_S * sample_rate_hz))
    return np.asarray((total[starts + window] - total[starts]) / window)


if __name__ == "__main__":
    raise SystemExit(main())
