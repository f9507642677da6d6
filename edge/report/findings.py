"""What `score` found in one recording, gathered from its JSON records into what a person reads: stretches of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edge.labels import LABELS
from edge.quality import Reason

Record = Mapping[str, Any]
ABNORMAL = LABELS[1:]
MAX_STRETCHES = 500
"""Of one kind in a recording: more can neither be drawn nor read, and memory must not grow with a night's length."""
FIRST_GAP_S = 1.0
"""The shortest silence between two stretches that is closed when there are more than `MAX_STRETCHES`."""


@dataclass(frozen=True)
class Stretch:
    """Windows, one after the other, about which the same was said."""

    start_s: float
    end_s: float
    label: str | None
    """None where the sound was not fit to be labelled."""
    probability: float | None = None
    """The highest that a window gave to `label`; None where there is no label, or the label is a listener's."""
    peak_start_s: float | None = None
    """Where the first window that gave it begins."""
    reasons: tuple[Reason, ...] = ()
    """Why there is no label; of several windows, the measurements furthest off."""
    annotated: str | None = None
    """The listener's label; None where there is none, or several differ."""


@dataclass
class Stretches:
    """Stretches in order of their start; neighbours of one kind become one."""

    gap_s: float = 0.0
    """Stretches of one kind that are at most this far apart are one; below 0, none are."""
    found: list[Stretch] = field(default_factory=list)

    def add(self, stretch: Stretch) -> None:
        """Take the next one, whose start is not before that of any other."""
        last = next((at for at in reversed(range(len(self.found))) if _kind(self.found[at]) == _kind(stretch)), None)
        if last is not None and stretch.start_s <= self.found[last].end_s + self.gap_s:
            self.found[last] = _joined(self.found[last], stretch)
            return
        self.found.append(stretch)
        if len(self.found) > MAX_STRETCHES:
            self._coarsen()

    def _coarsen(self) -> None:
        coarser = Stretches(max(2 * self.gap_s, FIRST_GAP_S))
        for stretch in self.found:
            coarser.add(stretch)
        self.gap_s, self.found = coarser.gap_s, coarser.found


@dataclass(frozen=True)
class SoundEvent:
    """A breath sound that lasted, as `edge.breath_events` decides it."""

    start_s: float
    end_s: float
    label: str
    peak_probability: float
    mean_probability: float


@dataclass
class Findings:
    """One recording's records, folded. Memory does not grow with their number."""

    source: str
    sound_s: float = 0.0
    device: str = ""
    models: set[str] = field(default_factory=set)
    operating_points: set[str] = field(default_factory=set)
    """Names of those that labels were decided at; empty where the model has none."""
    error: str | None = None
    """Why the recording could not be scored; everything else is empty then."""
    windows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """Windows by label; those without one are not counted."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Windows by the name of what speaks against them."""
    in_cycles: bool = False
    """The results are of annotated breathing cycles, and not of windows."""
    flagged: Stretches = field(default_factory=Stretches)
    """Where the label is abnormal or missing."""
    heard: Stretches = field(default_factory=lambda: Stretches(gap_s=-1.0))
    """Every annotated cycle with the classifier's label; nothing for windows."""
    annotated: Stretches = field(default_factory=lambda: Stretches(gap_s=-1.0))
    """Every annotated cycle with the listener's label; nothing for windows."""
    events: list[SoundEvent] = field(default_factory=list)
    further_events: int = 0
    """How many there were beyond `MAX_STRETCHES`."""
    peak_probability: float | None = None
    """The highest probability of any abnormal class in a window that was fit to be labelled."""

    @property
    def abnormal(self) -> int:
        """Windows with an abnormal label."""
        return sum(self.labels[label] for label in ABNORMAL)

    @property
    def refused(self) -> int:
        """Windows without a label."""
        return self.windows - sum(self.labels.values())

    def without_label(self) -> list[Stretch]:
        """Where the label is missing, for whatever reasons: stretches that do not overlap."""
        missing = Stretches()
        for stretch in self.flagged.found:
            if stretch.label is None:
                missing.add(Stretch(stretch.start_s, stretch.end_s, None))
        return missing.found

    def add(self, record: Record) -> None:
        """Take the next record of this recording; of one kind, in order of time."""
        kind = record.get("record")
        if kind == "result":
            self._add_result(record)
        elif kind == "event" and record.get("event") == "breath-sound":
            self._add_event(record)
        elif kind == "file":
            self.sound_s = float(record["sound_s"])
            self.device = self.device or str(record.get("device", ""))
        elif kind == "error":
            self.error = str(record["error"])

    def _add_result(self, result: Record) -> None:
        self.windows += 1
        self.device = str(result["device"])
        self.models.add(str(result["model"]))
        if (point := result.get("operating_point")) is not None:
            self.operating_points.add(str(point))
        self.sound_s = max(self.sound_s, float(result["end_s"]))
        stretch = _stretch_from_result(result)
        if stretch.label is None:
            self.reasons.update(dict.fromkeys((reason.name for reason in stretch.reasons), 1))
        else:
            self.labels[stretch.label] += 1
            peak = max(float(result["probabilities"][label]) for label in ABNORMAL)
            self.peak_probability = max(peak, self.peak_probability or 0.0)
        self._place(stretch, in_cycle="cycle" in result)

    def _place(self, stretch: Stretch, in_cycle: bool) -> None:
        if in_cycle and not self.in_cycles:
            self.in_cycles, self.flagged.gap_s = True, -1.0
        if stretch.label != LABELS[0]:
            self.flagged.add(stretch)
        if in_cycle:
            self.heard.add(stretch)
            self.annotated.add(Stretch(stretch.start_s, stretch.end_s, stretch.annotated))

    def _add_event(self, event: Record) -> None:
        if len(self.events) == MAX_STRETCHES:
            self.further_events += 1
            return
        numbers = (float(event[key]) for key in ("peak_probability", "mean_probability"))
        self.events.append(SoundEvent(float(event["start_s"]), float(event["end_s"]), str(event["label"]), *numbers))


def _stretch_from_result(result: Record) -> Stretch:
    label = result["label"]
    return Stretch(
        start_s=float(result["start_s"]),
        end_s=float(result["end_s"]),
        label=label,
        probability=None if label is None else float(result["probabilities"][label]),
        peak_start_s=None if label is None else float(result["start_s"]),
        reasons=tuple(_reason_from_record(reason) for reason in result["quality"]["reasons"]),
        annotated=result.get("annotated"),
    )


def _reason_from_record(record: Record) -> Reason:
    return Reason(
        str(record["name"]), float(record["measured"]), float(record["threshold"]), str(record.get("unit", ""))
    )


def _kind(stretch: Stretch) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    return stretch.label, tuple((reason.name, reason.unit) for reason in stretch.reasons)


def _joined(before: Stretch, after: Stretch) -> Stretch:
    pairs = zip(before.reasons, after.reasons, strict=True)
    likelier = after if (after.probability or 0.0) > (before.probability or 0.0) else before
    return replace(
        before,
        end_s=max(before.end_s, after.end_s),
        probability=likelier.probability,
        peak_start_s=likelier.peak_start_s,
        reasons=tuple(max(pair, key=_excess) for pair in pairs),
        annotated=before.annotated if before.annotated == after.annotated else None,
    )


def _excess(reason: Reason) -> float:
    return abs(reason.measured - reason.threshold)
