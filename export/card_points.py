"""What a model card says of operating points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.card_tables import percent, table
from train.evaluation_text import interval_text

_COLUMNS = (
    ("two_class", "sensitivity"), ("two_class", "specificity"),
    ("four_class", "score"), ("four_class", "sensitivity"), ("four_class", "specificity"),
)  # fmt: skip
_HEADING = ("", "threshold", "Se, two classes", "Sp, two classes", "Score", "Se", "Sp")


def operating_points_text(entry: Mapping[str, Any] | None) -> str:
    """Markdown about a manifest's `operating_points`; None: the manifest has none."""
    if entry is None:
        return "None: the label is the likeliest class."
    told, points = entry["chosen_on"], entry["points"]
    datasets = ", ".join(dict.fromkeys(each["dataset"] for each in told["answers"]))
    text = (
        "Sound is called abnormal where 1 - P(normal), calibrated, is at least the threshold, and then the likeliest "
        f"of crackle, wheeze and both. `{entry['default']}` is used where no `--operating-point` is asked for. The "
        f"thresholds were chosen on {told['cycles']} cycles of {told['patients']} patients ({datasets}), answered "
        f"by networks of the same recipe that never heard them ({len(told['answers'])} files of answers): `balanced` "
        "for the highest Score, `sensitive` to call 80 % of the abnormal cycles abnormal, `specific` to call 95 % of "
        "the normal cycles normal. Se and Sp of two classes ask only that; those beside the Score ask for the exact "
        "class. In percent, in brackets 95 % over patients; *held out*: each tenth of the patients at thresholds that "
        "the others chose."
    )
    rows = []
    for name, point in points.items():
        rows.append([f"`{name}`", f"{point['abnormal_threshold']:.4f}", *_cells(point["figures"])])
        if point["figures"].get("held_out"):
            rows.append(["… held out", "", *_cells(point["figures"]["held_out"])])
    return f"{text}\n\n{table(_HEADING, rows)}"


def _cells(figures: Mapping[str, Any]) -> list[str]:
    return [_cell(figures[classes], key) for classes, key in _COLUMNS]


def _cell(figures: Mapping[str, Any], key: str) -> str:
    ends = figures.get("intervals", {}).get(key)
    return percent(figures[key]) + (f" ({interval_text(ends)})" if ends else "")
