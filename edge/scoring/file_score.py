"""What came of one recording, as far as the summary and the journal need it; its results are in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.cough_events import per_hour
from edge.labels import LABELS
from edge.results import INTENDED_USE, SCHEMA, Result


@dataclass(frozen=True)
class Verdict:
    """What is counted of a result."""

    device: str
    label: str | None
    reasons: tuple[str, ...]
    annotated: str | None


@dataclass(frozen=True)
class FileScore:
    """One recording."""

    sound_s: float = 0.0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    events: int = 0
    """Breath sounds and coughs that began and ended."""
    coughs: int | None = None
    """None where only annotated cycles were looked at."""
    error: str | None = None
    """Why there are no results."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        counted = [[v.device, v.label, list(v.reasons), v.annotated, count] for v, count in self.verdicts.items()]
        return {
            "sound_s": self.sound_s,
            "verdicts": counted,
            "events": self.events,
            "coughs": self.coughs,
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FileScore:
        """What `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        counted = {
            Verdict(device, label, tuple(reasons), annotated): int(count)
            for device, label, reasons, annotated, count in record["verdicts"]
        }
        coughs = record["coughs"]
        return cls(
            float(record["sound_s"]),
            Counter(counted),
            int(record["events"]),
            None if coughs is None else int(coughs),
            record["error"],
        )


def verdict_of(result: Result) -> Verdict:
    """What is counted of `result`."""
    reasons = tuple(reason.name for reason in result.quality.reasons)
    return Verdict(result.device, result.label, reasons, result.annotated)


def file_record(source: str, device: str, model: str, what: str, score: FileScore) -> dict[str, Any]:
    """The line of the output that ends a recording's results; `what` was counted, `windows` or `cycles`."""
    counted = {} if score.coughs is None else _coughs(score.coughs, score.sound_s)
    return {
        "schema": SCHEMA,
        "record": "file",
        "source": source,
        "device": device,
        "sound_s": round(score.sound_s, 4),
        what: score.verdicts.total(),
        "labels": {label: _count(score.verdicts, label) for label in LABELS},
        "refused": _count(score.verdicts, None),
        "reasons": _reasons(score.verdicts),
        "events": score.events,
        **counted,
        "model": model,
        "intended_use": INTENDED_USE,
    }


def error_record(source: str, error: str) -> dict[str, Any]:
    """The line of the output that stands for a recording without results."""
    return {"schema": SCHEMA, "record": "error", "source": source, "error": error, "intended_use": INTENDED_USE}


def _coughs(coughs: int, sound_s: float) -> dict[str, float]:
    return {"coughs": coughs, "coughs_per_hour": round(per_hour(coughs, sound_s), 1)}


def _count(verdicts: Counter[Verdict], label: str | None) -> int:
    return sum(count for verdict, count in verdicts.items() if verdict.label == label)


def _reasons(verdicts: Counter[Verdict]) -> dict[str, int]:
    counted = Counter[str]()
    for verdict, count in verdicts.items():
        counted.update(dict.fromkeys(verdict.reasons, count))
    return dict(sorted(counted.items()))
