"""What sliding windows say of each annotated cycle, beside what is said with its marks given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.decision import decide
from edge.icbhi_score import IcbhiScore, icbhi_score
from edge.labels import LABELS
from edge.quality import Quality
from edge.results import Result
from train.bootstrap import RESAMPLES, SEED, draw_patients
from train.heard import HeardRecording

MARKED = "marked"
"""The decision on a cycle cut at its marks."""
NEAREST, OVERLAPPING = "nearest", "overlapping"
STREAMED: Final = (NEAREST, OVERLAPPING)
"""The ways from windows to the decision on a cycle."""


@dataclass(frozen=True)
class CycleDecision:
    """What one annotated cycle was called, by each way of deciding."""

    patient: str
    device: str
    annotated: str
    given: Mapping[str, str | None]
    """`MARKED` and the `STREAMED` ways."""
    mixed: bool
    """Whether the cycle before or after it is of another class."""


def nearest_window(windows: Sequence[Result], start_s: float, end_s: float) -> str | None:
    """The label of the window whose centre is nearest to the cycle's; None without a fit one that overlaps it."""
    heard = [window for window in windows if window.quality.ok and _overlap_s(window, start_s, end_s) > 0]
    centre = start_s + end_s
    return min(heard, key=lambda window: abs(window.start_s + window.end_s - centre)).label if heard else None


def overlapping_windows(
    windows: Sequence[Result], start_s: float, end_s: float, abnormal_threshold: float | None = None
) -> str | None:
    """What the fit windows that overlap the cycle call it, their probabilities averaged by how much they do.

    Decided at `abnormal_threshold`, where there is one; None without such a window.
    """
    totals = np.zeros(len(LABELS))
    for window in windows:
        if window.quality.ok:
            totals += _overlap_s(window, start_s, end_s) * np.array([window.probabilities[label] for label in LABELS])
    return decide(totals / totals.sum(), Quality(()), abnormal_threshold) if totals.any() else None


def cycle_decisions(heard: HeardRecording) -> list[CycleDecision]:
    """One for each annotated cycle."""
    truth = [str(cycle.annotated) for cycle in heard.cycles]
    return [
        CycleDecision(
            patient=heard.patient,
            device=heard.device,
            annotated=truth[place],
            given={
                MARKED: cycle.label,
                NEAREST: nearest_window(heard.windows, cycle.start_s, cycle.end_s),
                OVERLAPPING: overlapping_windows(heard.windows, cycle.start_s, cycle.end_s, heard.abnormal_threshold),
            },
            mixed=any(label != truth[place] for label in truth[max(0, place - 1) : place + 2]),
        )
        for place, cycle in enumerate(heard.cycles)
    ]


def decision_figures(decisions: Sequence[CycleDecision]) -> dict[str, Any]:
    """Scores of each way, and how far the streamed ones are from the marked one, with a 95 % interval over patients."""
    patients = sorted({decision.patient for decision in decisions})
    return {
        "cycles": len(decisions),
        "patients": len(patients),
        **{name: _score(icbhi_score(_pairs(decisions, name))) for name in (MARKED, *STREAMED)},
        "gap": {name: _gap(decisions, name) for name in STREAMED},
    }


def _pairs(decisions: Iterable[CycleDecision], name: str) -> list[tuple[str, str | None]]:
    return [(decision.annotated, decision.given[name]) for decision in decisions]


def _score(score: IcbhiScore) -> dict[str, float | None]:
    shares = {"score": score.score, "specificity": score.specificity, "sensitivity": score.sensitivity}
    return {name: None if share is None else round(share, 4) for name, share in shares.items()}


def _gap(decisions: Sequence[CycleDecision], name: str) -> dict[str, float | None]:
    """Score with marks less Score without; the interval is of patients drawn with replacement."""
    patients = sorted({decision.patient for decision in decisions})
    counts = np.array([_counts([d for d in decisions if d.patient == patient], name) for patient in patients])
    drawn = draw_patients(len(patients), RESAMPLES, np.random.default_rng(SEED))
    gaps = _gaps(drawn @ counts)
    gaps = gaps[np.isfinite(gaps)]
    gap = _gaps(counts.sum(axis=0, keepdims=True))[0]
    if not np.isfinite(gap):
        return {"points": None, "low": None, "high": None}
    low, high = np.percentile(gaps, [2.5, 97.5])
    return {"points": round(float(gap), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _counts(decisions: Sequence[CycleDecision], name: str) -> list[int]:
    marked, streamed = (icbhi_score(_pairs(decisions, way)) for way in (MARKED, name))
    return [
        marked.normal,
        marked.abnormal,
        marked.normal_hits - streamed.normal_hits,
        marked.abnormal_hits - streamed.abnormal_hits,
    ]


def _gaps(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((counts[:, 2] / counts[:, 0] + counts[:, 3] / counts[:, 1]) / 2, dtype=np.float64)


def _overlap_s(window: Result, start_s: float, end_s: float) -> float:
    return max(0.0, min(window.end_s, end_s) - max(window.start_s, start_s))
