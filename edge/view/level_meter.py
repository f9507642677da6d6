"""How loud the sound is now, and how loud it was a moment ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.audio.block import AudioBlock
from edge.quality import rms_dbfs

METER_FLOOR_DBFS = -80.0
"""The left end of the level meter: under the silence limits of all profiles."""
HOLD_S = 1.5
"""How long a peak stays to be seen: what IEC 60268-18 asks of a peak meter that holds."""


@dataclass(frozen=True)
class Meter:
    """What the latest block and all before it amount to."""

    heard_samples: int = 0
    """Lost ones included: the clock of the results."""
    lost_samples: int = 0
    level_dbfs: float = METER_FLOOR_DBFS
    """RMS of the latest block."""
    peak_dbfs: float = METER_FLOOR_DBFS
    """The highest sample of the last `HOLD_S`."""
    peak_at: int = 0
    """When that was, on the clock of `heard_samples`."""
    clipped_at: int | None = None
    """When a sample last stood at full scale."""


def read_meter(meter: Meter, block: AudioBlock, sample_rate_hz: int) -> Meter:
    """The meter after the next block; one without samples moves the clock alone."""
    now = meter.heard_samples + block.lost_samples + block.samples.size
    lost_samples = meter.lost_samples + block.lost_samples
    if block.samples.size == 0:
        return Meter(now, lost_samples, METER_FLOOR_DBFS, METER_FLOOR_DBFS, now, meter.clipped_at)
    peak_dbfs = max(20 * float(np.log10(max(np.abs(block.samples).max(), 1e-9))), METER_FLOOR_DBFS)
    held = now - meter.peak_at <= HOLD_S * sample_rate_hz and meter.peak_dbfs > peak_dbfs
    return Meter(
        heard_samples=now,
        lost_samples=lost_samples,
        level_dbfs=max(rms_dbfs(block.samples), METER_FLOOR_DBFS),
        peak_dbfs=meter.peak_dbfs if held else peak_dbfs,
        peak_at=meter.peak_at if held else now,
        clipped_at=now if block.clipped_at.size else meter.clipped_at,
    )


def is_clipping(meter: Meter, sample_rate_hz: int) -> bool:
    """Whether a sample stood at full scale within the last `HOLD_S`."""
    return meter.clipped_at is not None and meter.heard_samples - meter.clipped_at <= HOLD_S * sample_rate_hz
