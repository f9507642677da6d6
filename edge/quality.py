"""Is a stretch of sound fit to be labelled? Named reasons against it, each with what was measured and the limit.

`non-finite`, `gap`, `clipping` and `dc` look at the samples as they came, `band` at what conditioning takes away,
`silence`, `hum` and `knock` at the conditioned sound, `cough` and `voice` at what `edge/coughs_and_voices` heard in it.
Stretches longer than a window are judged by their worst piece, so that a minute of hum in an hour is not lost in the
mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.coughs_and_voices.hearing import Heard
from edge.faults import FaultCounts
from edge.hum import maybe_hum_db
from edge.knocks import maybe_knock_level_dbfs
from edge.profiles import QualityLimits
from edge.short_spectra import frame_powers, share_above
from edge.slot_trace import SlotMeans
from firmware_bridge.gaps import MAX_BRIDGED_S

Float32 = NDArray[np.float32]

MAX_INVALID_SAMPLES = 0.0
PIECE_S = 7.0
"""The measures' limits were taken from windows of this length."""
HIGH_HZ = 1000.0
"""Above this there is next to no breath sound in a recording whose stethoscope is narrow."""


@dataclass(frozen=True)
class Reason:
    """One thing that makes a stretch of sound unfit."""

    name: str
    """`non-finite`, `gap`, `clipping`, `silence`, `dc`, `band`, `hum`, `knock`, `cough` or `voice`."""
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


@dataclass(frozen=True)
class Evidence:
    """What is known of a stretch of sound beside its conditioned samples."""

    faults: FaultCounts
    raw: SlotMeans | None = None
    """Of the samples as they came; None where the stretch is too short to say."""
    resampled: SlotMeans | None = None
    """Of the same at the features' rate, before the band-pass."""
    heard: Heard = field(default_factory=Heard)
    """Coughs and voices."""


def judge_quality(sound: Float32, sample_rate_hz: int, evidence: Evidence, limits: QualityLimits) -> Quality:
    """The verdict on conditioned sound, float32 [n] at `sample_rate_hz`, and on the samples that it was made from."""
    reasons = [*_fault_reasons(evidence.faults, limits), *_gap_reasons(evidence, limits)]
    reasons += _stream_reasons(sound, evidence, limits)
    reasons += _heard_reasons(evidence.heard, limits)
    level_dbfs = rms_dbfs(sound)
    if level_dbfs < limits.silence_level_dbfs:
        reasons.append(Reason("silence", level_dbfs, limits.silence_level_dbfs, "dBFS"))
    if level_dbfs > LOWEST_DBFS:
        reasons += _sound_reasons(sound, sample_rate_hz, limits)
    return Quality(tuple(reasons))


def _fault_reasons(faults: FaultCounts, limits: QualityLimits) -> Iterator[Reason]:
    yield from _over("non-finite", faults.invalid, MAX_INVALID_SAMPLES, "samples")
    yield from _over("clipping", faults.clipped_share, limits.clipped_share, "share")


def _gap_reasons(evidence: Evidence, limits: QualityLimits) -> Iterator[Reason]:
    """Lost, or filled in by somebody else: a cut recording stands still where nothing arrived."""
    faults, still = evidence.faults, evidence.raw
    missing_share = max(faults.lost_share, still.still_share if still else 0.0)
    missing_s = max(faults.longest_gap_s, still.still_s if still else 0.0)
    too_much = list(_over("gap", missing_share, limits.gap_share, "share"))
    yield from too_much or _over("gap", missing_s, MAX_BRIDGED_S, "s")


def _stream_reasons(sound: Float32, evidence: Evidence, limits: QualityLimits) -> Iterator[Reason]:
    if evidence.raw is None or evidence.resampled is None:
        return
    yield from _over("dc", abs(evidence.raw.mean), limits.dc_share, "share of full scale")
    conditioned = mean_square(sound)
    above = max(evidence.raw.power - evidence.resampled.power, 0.0)
    yield from _over("band", _share(above, conditioned), limits.share_above_2khz, "share above 2 kHz")
    below = max(evidence.resampled.power - conditioned, 0.0)
    yield from _over("band", _share(below, conditioned), limits.share_below_50hz, "share below 50 Hz")


def _heard_reasons(heard: Heard, limits: QualityLimits) -> Iterator[Reason]:
    yield from _over("cough", heard.cough_s, limits.cough_s, "s")
    yield from _over("voice", heard.voice_s, limits.voice_s, "s")


def _sound_reasons(sound: Float32, sample_rate_hz: int, limits: QualityLimits) -> Iterator[Reason]:
    pieces = _pieces(sound, round(PIECE_S * sample_rate_hz))
    measures = zip(*(_measures(piece, sample_rate_hz, limits) for piece in pieces), strict=True)
    high, hum, knock = map(_greatest, measures)
    yield from _over("band", high, limits.share_above_1khz, "share above 1 kHz")
    yield from _over("hum", hum, limits.hum_db, "dB over the rest")
    yield from _over("knock", knock, limits.knock_level_dbfs, "dBFS")


def _measures(piece: Float32, sample_rate_hz: int, limits: QualityLimits) -> tuple[float | None, ...]:
    """Each None where no limit asks for it."""
    return (
        None if limits.share_above_1khz is None else share_above(frame_powers(piece, sample_rate_hz), HIGH_HZ),
        None if limits.hum_db is None else maybe_hum_db(piece, sample_rate_hz),
        None if limits.knock_level_dbfs is None else maybe_knock_level_dbfs(piece, sample_rate_hz),
    )


def _pieces(sound: Float32, length: int) -> Iterator[Float32]:
    """`length` samples each, the last up to twice as many: none is too short to be judged."""
    whole = max(sound.size // length, 1)
    for index in range(whole):
        yield sound[index * length : (index + 1) * length if index < whole - 1 else None]


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _over(name: str, measured: float | None, limit: float | None, unit: str) -> Iterator[Reason]:
    """The reason, if both were told and the one passes the other."""
    if measured is not None and limit is not None and measured > limit:
        yield Reason(name, measured, limit, unit)


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part > 0 else 0.0


LOWEST_DBFS = -200.0
"""Digital silence, whose true level, minus infinity, JSON cannot write; far beneath one step of 24-bit sound."""


def rms_dbfs(sound: Float32) -> float:
    """Root-mean-square level of float32 [n] in dB below a full-scale square wave, no lower than `LOWEST_DBFS`."""
    power = mean_square(sound)
    return max(10 * math.log10(power), LOWEST_DBFS) if power > 0 else LOWEST_DBFS


def mean_square(sound: Float32) -> float:
    """Mean power of float32 [n]; 0 where there is no sample."""
    return float(np.dot(sound, sound)) / sound.size if sound.size else 0.0
