"""What `train.evaluate` and `train.cross_validate` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.bootstrap import FIGURES
from train.compare_answers import TITLES, text_from_differences
from train.task import labels_of


def text_from_report(report: Mapping[str, Any]) -> str:
    """The figures, their intervals, the confusion matrix and the comparison as tables for a terminal, in percent."""
    blocks = [_figures_block(report), _intervals_block(report), _confusion_block(report)]
    if "comparison" in report:
        blocks.append(_comparison_block(report["comparison"]))
    return "\n\n".join(blocks)


def interval_text(ends: Sequence[float] | None) -> str:
    """An interval of shares in percent; a dash where patients are too few for one."""
    return "-" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _figures_block(report: Mapping[str, Any]) -> str:
    title = f"{report['dataset']} ({report['extent']}), split {report['split']}, {report['recordings']} recordings"
    if report.get("coverage"):
        title += f"; {report['coverage']}"
    if report["patients_trained_on"]:
        title += f"; {report['patients_trained_on']} of these patients were trained on"
    lines = [title, f"{'':14}" + "".join(f"{name:>7}" for name in TITLES) + f"{'cycles':>8}{'patients':>10}"]
    lines += [_row(name, row) for name, row in _rows(report).items()]
    if report.get("leaking_figures"):
        lines.append(_row("*leaking", report["leaking_figures"]) + "   * test windows padded by their labels")
    if report.get("undisturbed"):
        lines.append("free: its cycles without cough, voice or crying (train/sound_marks)")
    return "\n".join(lines)


def _intervals_block(report: Mapping[str, Any]) -> str:
    lines = [f"{'95 % over patients':20}" + "".join(f"{name:>15}" for name in TITLES)]
    for name, row in _rows(report).items():
        found = row["intervals"]
        cells = "".join(f"{interval_text(found[figure]):>15}" for figure in FIGURES)
        left_out = f"   without {found['left_out']} of {found['resamples']} resamples" if found["left_out"] else ""
        lines.append(f"{name:20}{cells}{left_out}")
    return "\n".join(lines)


def _confusion_block(report: Mapping[str, Any]) -> str:
    labels = labels_of(len(report["confusion"]))
    lines = ["true \\ said  " + "".join(f"{name:>9}" for name in labels)]
    matrix = zip(labels, report["confusion"], strict=True)
    return "\n".join(lines + [f"{name:13}" + "".join(f"{count:9}" for count in counts) for name, counts in matrix])


def _comparison_block(comparison: Mapping[str, Any]) -> str:
    title = f"less {comparison['model']}, which has Score {_percent(comparison['figures']['score'])}"
    if comparison["patients_trained_on"]:
        title += f"; it was trained on {comparison['patients_trained_on']} of these patients"
    return f"{title}\n{text_from_differences(comparison)}"


def _rows(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    undisturbed = {f"{device} free": row for device, row in report.get("undisturbed", {}).items()}
    return {"all": report, **report["devices"], **undisturbed}


def _row(name: str, row: Mapping[str, Any]) -> str:
    cells = "".join(f"{_percent(row[figure]):>7}" for figure in FIGURES)
    return f"{name:14}{cells}{row['cycles']:8}{row['patients']:10}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
