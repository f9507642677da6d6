"""What `train.evaluate_streams` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.stream_figures import MARKED, STREAMED


def text_from_report(report: Mapping[str, Any]) -> str:
    """The figures as two tables for a terminal, in percent."""
    ways = (MARKED, *STREAMED)
    at = ", ".join(f"{threshold:g}" for threshold in report["abnormal_thresholds"])
    lines = [
        f"{report['dataset']} ({report['extent']}), answered by {report['answered_by']}; a window every "
        f"{report['hop_s']:g} s, {report['refused_windows']} of {report['windows']} refused"
        + (f"; abnormal from {at} on" if at else ""),
        f"{'Score/Sp/Se':21}{'cycles':>8}{'patients':>10}" + "".join(f"{way:>18}" for way in ways) + "   gap (95 %)",
        *(_cycle_row(title, row) for title, row in report["cycles"].items()),
        "",
        f"{'events':39}{'stretches':>10}{'found':>8}{'named':>8}{'told':>6}{'false/min':>11}{'abnormal time':>15}"
        f"{'normal time':>13}",
    ]
    for title, by_rules in report["events"].items():
        lines += [_event_row(f"{title}, {name}", row) for name, row in by_rules.items()]
    return "\n".join(lines)


def _cycle_row(title: str, row: Mapping[str, Any]) -> str:
    scores = "".join(
        f"{'/'.join(percent(row[way][key]) for key in ('score', 'specificity', 'sensitivity')):>18}"
        for way in (MARKED, *STREAMED)
    )
    gaps = [
        f"{percent(gap['points'])} ({percent(gap['low'])} to {percent(gap['high'])})" for gap in row["gap"].values()
    ]
    return f"{title:21}{row['cycles']:8}{row['patients']:10}{scores}   {', '.join(gaps)}"


def _event_row(title: str, row: Mapping[str, Any]) -> str:
    false = row["false_events_per_minute"]
    return (
        f"{title:39}{row['stretches']:10}{percent(row['found']):>8}{percent(row['named']):>8}{row['events']:6}"
        f"{'-' if false is None else format(false, '.2f'):>11}{percent(row['abnormal_time_in_events']):>15}"
        f"{percent(row['normal_time_in_events']):>13}"
    )


def percent(share: float | None) -> str:
    """A share in percent; a dash where there was nothing to measure it on."""
    return "-" if share is None else f"{100 * share:.1f}"
