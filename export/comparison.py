"""A report of what was measured on several graphs, and how it reads on a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.latency import machine
from export.measure import Measured, entry_from
from export.staging import staged_file
from export.thresholds import Thresholds, objections_to
from export.validation import Validation
from train.compare_answers import difference_text
from train.evaluation_text import interval_text

SCHEMA = 1
_JUDGED = ("score", "abnormal_auc")


def comparison(
    reference: Measured, others: Sequence[Measured], validation: Validation, thresholds: Thresholds
) -> dict[str, Any]:
    """Plain JSON values: the data, the machine, one entry for each graph, and why any must not be released."""
    models = {found.name: entry_from(found, reference, validation.images) for found in (reference, *others)}
    objections = [
        text
        for name, entry in models.items()
        for text in objections_to(name, entry, models[reference.name], thresholds)
    ]
    return {
        "schema": SCHEMA,
        "data": dict(validation.described),
        "machine": machine(),
        "models": models,
        "objections": objections,
    }


def text_from_comparison(report: Mapping[str, Any]) -> str:
    """The report for a terminal: one row a graph, the first of them the reference."""
    lines = [
        f"{name} ({held['extent']}): {held['cycles']} cycles of {held['patients']} {held['side']} patients"
        for name, held in report["data"].items()
    ]
    lines += [f"{report['machine']['processor']}, one thread, one image at a time", "", _heading(report["data"])]
    lines += [_row(name, entry) for name, entry in report["models"].items()]
    lines += [line for dataset in report["data"] for line in ("", *_doubt(dataset, report["models"]))]
    return "\n".join([*lines, *("", *report["objections"])] if report["objections"] else lines)


def write_comparison(path: Path, report: Mapping[str, Any]) -> None:
    """As JSON, whole or not at all. Raises ExportError."""
    with staged_file(path) as partial:
        partial.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _doubt(dataset: str, models: Mapping[str, Any]) -> list[str]:
    """The 95 % intervals of one dataset's Score and AUC, and how far each graph is from the reference."""
    titles = ("Score", "AUC", "Score less reference's", "AUC less reference's")
    lines = [f"{f'{dataset}, 95 %':20}" + "".join(f"{title:>36}" for title in titles)]
    for name, entry in models.items():
        held = entry["figures"][dataset]["intervals"]
        cells = [interval_text(held[figure]) for figure in _JUDGED]
        cells += [difference_text(entry["differences"][dataset][key]) for key in _JUDGED if "differences" in entry]
        lines.append(f"{name:20}" + "".join(f"{cell:>36}" for cell in cells))
    return lines


def _heading(data: Mapping[str, Any]) -> str:
    sets = "".join(f"{f'{name} Score/Se/Sp':>22}" for name in data)
    times = "".join(f"{name:>8}" for name in ("p50 ms", "p95 ms", "p99 ms"))
    return f"{'':20}{'max diff':>10}{'mean diff':>11}{'agree %':>9}{sets}{'MB':>7}{times}"


def _row(name: str, entry: Mapping[str, Any]) -> str:
    sets = "".join(
        f"{'/'.join(_shown(held[key]) for key in ('score', 'sensitivity', 'specificity')):>22}"
        for held in entry["figures"].values()
    )
    times = "".join(f"{entry['latency_ms'][key]:8.2f}" for key in ("p50", "p95", "p99"))
    return (
        f"{name:20}{entry['max_probability_difference']:10.1e}{entry['mean_probability_difference']:11.1e}"
        f"{100 * entry['agreement']:9.2f}{sets}{entry['bytes'] / 1e6:7.1f}{times}"
    )


def _shown(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
