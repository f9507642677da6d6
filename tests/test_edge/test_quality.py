"""Reasons not to label a stretch of sound, and the trace that knows where the faulty samples lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.decision import decide
from edge.faults import FaultCounts, FaultTrace, count_faults, extend_trace, trace_from
from edge.profiles import QualityLimits
from edge.quality import Evidence, Quality, Reason, judge_quality, rms_dbfs

LIMITS = QualityLimits(silence_level_dbfs=-60.0, clipped_share=0.01)
NO_FAULT = FaultCounts(lost=0, invalid=0, clipped=0, samples=8000, sample_rate_hz=8000)
LOUD = np.full(4000, 0.1, np.float32)


def judge(sound: NDArray[np.float32], faults: FaultCounts = NO_FAULT, limits: QualityLimits = LIMITS) -> Quality:
    return judge_quality(sound, 4000, Evidence(faults), limits)


def test_clean_sound_is_fit() -> None:
    assert judge(LOUD) == Quality(())


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (FaultCounts(0, 3, 0, 8000, 8000), Reason("non-finite", 3, 0, "samples")),
        (FaultCounts(400, 0, 0, 8000, 8000, longest_gap=80), Reason("gap", 0.05, 0.02, "share")),
        (FaultCounts(150, 0, 0, 8000, 8000, longest_gap=120), Reason("gap", 0.015, 0.01, "s")),
        (FaultCounts(0, 0, 160, 8000, 8000), Reason("clipping", 0.02, 0.01, "share")),
    ],
)
def test_faults_are_named_with_measure_and_limit(faults: FaultCounts, reason: Reason) -> None:
    assert judge(LOUD, faults).reasons == (reason,)


def test_what_is_at_the_limit_is_still_fit() -> None:
    at_silence = np.full(4000, 10 ** (-60 / 20) * 1.0001, np.float32)
    assert judge(at_silence, FaultCounts(160, 0, 80, 8000, 8000, longest_gap=80)).ok


def test_silence_is_named_with_its_level() -> None:
    (reason,) = judge(np.full(4000, 1e-4, np.float32)).reasons
    assert (reason.name, reason.threshold, reason.unit) == ("silence", -60.0, "dBFS")
    assert reason.measured == pytest.approx(-80, abs=0.01)


def test_digital_silence_has_a_level_that_json_can_write() -> None:
    assert math.isfinite(rms_dbfs(np.zeros(100, np.float32)))
    assert rms_dbfs(np.zeros(0, np.float32)) == rms_dbfs(np.zeros(100, np.float32)) < -144


def test_all_reasons_are_named_at_once() -> None:
    quality = judge(np.zeros(4000, np.float32), FaultCounts(8, 1, 800, 8000, 8000, longest_gap=81))
    assert [reason.name for reason in quality.reasons] == ["non-finite", "clipping", "gap", "silence"]


def test_the_likeliest_class_is_the_label_unless_the_sound_is_unfit() -> None:
    probabilities = np.array([0.1, 0.2, 0.6, 0.1], np.float32)
    assert decide(probabilities, Quality(())) == "wheeze"
    assert decide(probabilities, Quality((Reason("gap", 1, 0, "s"),))) is None
    assert decide(np.array([0.4, 0.4, 0.1, 0.1], np.float32), Quality(())) == "normal"


def block(
    samples: int, lost: int = 0, invalid: list[int] | None = None, clipped: list[int] | None = None
) -> AudioBlock:
    return AudioBlock(
        np.zeros(samples, np.float32),
        lost_samples=lost,
        invalid_at=np.array(invalid or [], np.int64),
        clipped_at=np.array(clipped or [], np.int64),
    )


def test_each_stretch_counts_the_faults_inside_it() -> None:
    trace = FaultTrace(sample_rate_hz=10)
    trace = extend_trace(trace, block(10, invalid=[9], clipped=[0, 9]))
    trace = extend_trace(trace, block(10, lost=5, clipped=[2]))
    assert count_faults(trace, 0.0, 1.0) == FaultCounts(0, 1, 2, 10, 10)
    assert count_faults(trace, 1.0, 1.5) == FaultCounts(5, 0, 0, 5, 10, longest_gap=5)
    assert count_faults(trace, 1.5, 2.5) == FaultCounts(0, 0, 1, 10, 10)
    assert count_faults(trace, 0.9, 1.8) == FaultCounts(5, 1, 2, 9, 10, longest_gap=5)
    assert count_faults(trace, 1.2, 1.4) == FaultCounts(2, 0, 0, 2, 10, longest_gap=2)


def test_a_gap_that_is_told_in_parts_is_one() -> None:
    trace = extend_trace(extend_trace(FaultTrace(10), block(0, lost=3)), block(4, lost=2))
    assert count_faults(trace, 0.0, 0.9).longest_gap == 5


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.floats(0, 5), st.floats(0, 5))
def test_forgetting_the_past_changes_no_later_count(sizes: list[int], forgotten_s: float, length_s: float) -> None:
    trace = FaultTrace(sample_rate_hz=10)
    for size in sizes:
        trace = extend_trace(trace, block(size, lost=size % 3, clipped=list(range(0, size, 4))))
    shorter = trace_from(trace, forgotten_s)
    start_s, end_s = forgotten_s + 0.1, forgotten_s + 0.1 + length_s
    assert count_faults(shorter, start_s, end_s) == count_faults(trace, start_s, end_s)
    assert len(shorter.gaps) <= len(trace.gaps)
    assert shorter.clipped_at.size <= trace.clipped_at.size
