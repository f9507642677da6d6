"""Is a stretch of sound fit to be labelled? Named reasons against it, each with what was measured and the limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.faults import FaultCounts
from edge.profiles import QualityLimits

MAX_LOST_S = 0.0
"""Where samples are missing, what is left is joined with a jump that no lung made."""
MAX_INVALID_SAMPLES = 0.0


@dataclass(frozen=True)
class Reason:
    """One thing that makes a stretch of sound unfit."""

    name: str
    """`non-finite`, `gap`, `clipping` or `silence`."""
    measured: float
    threshold: float
    """The last value that would still be allowed."""
    unit: str


@dataclass(frozen=True)
class Quality:
    """The verdict on one stretch of sound."""

    reasons: tuple[Reason, ...]

    @property
    def ok(self) -> bool:
        """Fit to be labelled."""
        return not self.reasons


def judge_quality(sound: NDArray[np.float32], faults: FaultCounts, limits: QualityLimits) -> Quality:
    """The verdict on conditioned sound, float32 [n], and on the faults in the samples that it was made from."""
    level_dbfs = rms_dbfs(sound)
    checks = (
        (faults.invalid > MAX_INVALID_SAMPLES, Reason("non-finite", faults.invalid, MAX_INVALID_SAMPLES, "samples")),
        (faults.lost_s > MAX_LOST_S, Reason("gap", faults.lost_s, MAX_LOST_S, "s")),
        (
            faults.clipped_share > limits.clipped_share,
            Reason("clipping", faults.clipped_share, limits.clipped_share, "share"),
        ),
        (level_dbfs < limits.silence_level_dbfs, Reason("silence", level_dbfs, limits.silence_level_dbfs, "dBFS")),
    )
    return Quality(tuple(reason for fails, reason in checks if fails))


LOWEST_DBFS = -200.0
"""Digital silence, whose true level, minus infinity, JSON cannot write; far beneath one step of 24-bit sound."""


def rms_dbfs(sound: NDArray[np.float32]) -> float:
    """Root-mean-square level of float32 [n] in dB below a full-scale square wave, no lower than `LOWEST_DBFS`."""
    power = float(np.mean(np.square(sound, dtype=np.float64))) if sound.size else 0.0
    return max(10 * math.log10(power), LOWEST_DBFS) if power > 0 else LOWEST_DBFS
