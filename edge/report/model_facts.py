"""What is known of how well a model hears, from the figures in its bundle's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.bundle import Bundle
from edge.report.text import percent, shown

Metrics = Mapping[str, Any]
POINTS = "operating_points"
"""Beside a manifest's metrics: the figures of each of its operating points, by name."""
TWO, FOUR = "two_class", "four_class"

NOTHING_KNOWN = "<p>No measured figures were at hand for this model; without them, expect nothing of its labels.</p>"


def metrics_of(bundle: Bundle) -> Metrics:
    """What `model_facts` takes: a manifest's metrics, and the figures of its operating points where there are some."""
    points = {name: point.figures for name, point in bundle.operating_points.points.items()}
    return {**bundle.metrics, POINTS: points} if points else bundle.metrics


def model_facts(model_id: str, metrics: Metrics) -> str:
    """HTML about one model. `metrics` as `metrics_of` gives them; operating points and `cross_validation` are shown.

    Labels decided at a point follow its figures; those of a cross-validation are of the likeliest class.
    """
    points = _points(metrics)
    rows = "".join(_row(name, figures) for name, figures in _rows(metrics))
    crossed = _table(metrics["cross_validation"], rows, bool(metrics.get(POINTS))) if rows else ""
    return f"<h3>{shown(model_id)}</h3>\n" + ((_points_table(points) if points else "") + crossed or NOTHING_KNOWN)


def _points(metrics: Metrics) -> dict[str, Metrics]:
    """The figures of each point: where there are some, of patients that its threshold was chosen without."""
    found = metrics.get(POINTS)
    measured = {name: each for name, each in found.items() if _is_of_point(each)} if isinstance(found, Mapping) else {}
    return {name: each["held_out"] if _is_of_point(each.get("held_out")) else each for name, each in measured.items()}


def _is_of_point(figures: Any) -> bool:
    return isinstance(figures, Mapping) and all(isinstance(figures.get(key), Mapping) for key in (TWO, FOUR))


def _points_table(points: Mapping[str, Metrics]) -> str:
    rows = "".join(_point_row(name, figures) for name, figures in points.items())
    return f"""<div class="scroll" role="region" aria-label="Measured at operating points" tabindex="0">
<table class="list">
<caption>At each operating point, on people whom the networks had never heard; a recording says which one decided its
labels</caption>
<thead><tr><th scope="col">Operating point</th><th scope="col">Normal cycles called normal</th>
<th scope="col">Abnormal cycles called abnormal</th>
<th scope="col">Abnormal cycles given exactly their class</th></tr></thead>
<tbody>{rows}</tbody></table></div>
"""


def _point_row(name: str, figures: Metrics) -> str:
    shares = [_share(figures[TWO], "specificity"), _share(figures[TWO], "sensitivity")]
    cells = "".join(f"<td>{shown(share or '–')}</td>" for share in (*shares, _share(figures[FOUR], "sensitivity")))
    return f'<tr><th scope="row">{shown(name)}</th>{cells}</tr>'


def _rows(metrics: Metrics) -> list[tuple[str, Metrics]]:
    measured = metrics.get("cross_validation")
    rows = measured.get("rows") if isinstance(measured, Mapping) else None
    return [(name, row) for name, row in rows.items() if isinstance(row, Mapping)] if isinstance(rows, Mapping) else []


def _table(measured: Metrics, rows: str, beside_points: bool) -> str:
    rule = "; the likeliest class was the label, not decided at an operating point" if beside_points else ""
    origin = f"{measured.get('dataset', 'unnamed data')}, {measured.get('extent', 'extent not said')}"
    return f"""<div class="scroll" role="region" aria-label="Measured performance" tabindex="0"><table class="list">
<caption>Measured on people whom the network had never heard ({shown(origin)}){rule}</caption>
<thead><tr><th scope="col">Recorded with</th><th scope="col">People</th><th scope="col">Breathing cycles</th>
<th scope="col">Normal cycles called normal</th>
<th scope="col">Abnormal cycles given exactly their class</th></tr></thead>
<tbody>{rows}</tbody></table></div>
"""


def _row(name: str, figures: Metrics) -> str:
    counts = (figures.get("patients"), figures.get("cycles"))
    shares = (_share(figures, "specificity"), _share(figures, "sensitivity"))
    cells = "".join(f"<td>{shown('–' if value is None else value)}</td>" for value in (*counts, *shares))
    return f'<tr><th scope="row">{shown(name)}</th>{cells}</tr>'


def _share(figures: Metrics, key: str) -> str | None:
    value, deviation = figures.get(key), figures.get(f"{key}_sd")
    if not isinstance(value, float):
        return None
    return percent(value) + (f" ± {100 * deviation:.0f}" if isinstance(deviation, float) else "")
