"""The lines of `metrics.jsonl`, one for each epoch, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.loop import EpochReport

History = Sequence[Mapping[str, Any]]


def epoch_line(
    epoch: int, learning_rate: float, report: EpochReport, validation: Mapping[str, Any], validation_seconds: float
) -> dict[str, Any]:
    """Plain JSON values; `validation` has the figures of each dataset, `selection` is the mean of their Scores."""
    scores = [found["score"] for found in validation.values() if found["score"] is not None]
    return {
        "epoch": epoch,
        "loss": round(report.loss, 5),
        "learning_rate": learning_rate,
        "selection": round(sum(scores) / len(scores), 4) if scores else None,
        "seconds": round(report.seconds, 1),
        "waiting_seconds": round(report.waiting_seconds, 1),
        "validation_seconds": round(validation_seconds, 1),
        "validation": validation,
    }


def is_best(history: History) -> bool:
    """Whether the last epoch has the highest mean validation Score; without validation, the last is always taken."""
    newest = history[-1]["selection"]
    return newest is None or all(newest > line["selection"] for line in history[:-1])


def epoch_text(line: Mapping[str, Any]) -> str:
    """An epoch as one line for a terminal."""
    parts = [f"epoch {line['epoch'] + 1}: loss {line['loss']:.3f}, {line['seconds']:.0f} s"]
    for name, found in line["validation"].items():
        se, sp = _percent(found["sensitivity"]), _percent(found["specificity"])
        parts.append(f"{name} Score {_percent(found['score'])} (Se {se}, Sp {sp})")
    return "; ".join(parts)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
