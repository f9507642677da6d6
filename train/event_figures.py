"""What events say of annotated abnormal sound: what they find, and what they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.breath_events import EventRules, events_from_results
from edge.events import Event
from edge.icbhi_score import NORMAL
from edge.results import Result
from train.heard import HeardRecording

TIME_STEP_S = 0.1
TOUCHING_S = 0.05
"""Annotated cycles that are no further apart than this follow each other."""


@dataclass(frozen=True)
class Stretch:
    """Touching annotated cycles of one abnormal class."""

    start_s: float
    end_s: float
    label: str


def event_figures(heard: Sequence[HeardRecording], rules: EventRules) -> dict[str, Any]:
    """What events say of annotated stretches: runs of touching cycles of one abnormal class.

    `found`: a stretch that an event overlaps, `named`: one of its class; `false`: an event that overlaps no abnormal
    cycle. The shares of time are of annotated cycles. Each recording's events are made at the operating point that its
    labels were decided at.
    """
    stretches = found = named = events = false = 0
    times = np.zeros((2, 2))  # [normal or abnormal, outside or inside an event]
    for recording in heard:
        own_rules = replace(rules, abnormal_threshold=recording.abnormal_threshold)
        told = events_from_results(recording.windows, own_rules)
        abnormal = _stretches(recording.cycles)
        stretches += len(abnormal)
        found += sum(_found(told, stretch) for stretch in abnormal)
        named += sum(_found(told, stretch, stretch.label) for stretch in abnormal)
        events += len(told)
        false += sum(not any(_touches(event, stretch) for stretch in abnormal) for event in told)
        times += _times(recording, told)
    minutes = sum(recording.sound_s for recording in heard) / 60
    return {
        "minutes": round(minutes, 1),
        "stretches": stretches,
        "found": _share(found, stretches),
        "named": _share(named, stretches),
        "events": events,
        "false_events_per_minute": _share(false, minutes),
        "abnormal_time_in_events": _share(times[1, 1], times[1].sum()),
        "normal_time_in_events": _share(times[0, 1], times[0].sum()),
    }


def _stretches(cycles: Sequence[Result]) -> list[Stretch]:
    runs: list[Stretch] = []
    for cycle in sorted(cycles, key=lambda each: each.start_s):
        label = str(cycle.annotated)
        if label == NORMAL:
            continue
        if runs and runs[-1].label == label and cycle.start_s - runs[-1].end_s <= TOUCHING_S:
            runs[-1] = Stretch(runs[-1].start_s, cycle.end_s, label)
        else:
            runs.append(Stretch(cycle.start_s, cycle.end_s, label))
    return runs


def _found(events: Sequence[Event], stretch: Stretch, label: str | None = None) -> bool:
    return any(_touches(event, stretch) for event in events if label in (None, event.fields["label"]))


def _touches(event: Event, stretch: Stretch) -> bool:
    return event.start_s < stretch.end_s and stretch.start_s < event.end_s


def _times(recording: HeardRecording, events: Sequence[Event]) -> NDArray[np.float64]:
    times_s = np.arange(0, recording.sound_s, TIME_STEP_S) + TIME_STEP_S / 2
    inside = np.zeros(times_s.size, dtype=bool)
    for event in events:
        inside |= (times_s >= event.start_s) & (times_s < event.end_s)
    counts = np.zeros((2, 2))
    for cycle in recording.cycles:
        during = (times_s >= cycle.start_s) & (times_s < cycle.end_s)
        counts[int(cycle.annotated != NORMAL)] += [(during & ~inside).sum(), (during & inside).sum()]
    return counts


def _share(part: float, whole: float) -> float | None:
    return round(float(part / whole), 4) if whole else None
