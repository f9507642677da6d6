"""What is known of how well a model hears, from the figures in its bundle's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.report.text import percent, shown

Metrics = Mapping[str, Any]

NOTHING_KNOWN = "<p>No measured figures were at hand for this model; without them, expect nothing of its labels.</p>"


def model_facts(model_id: str, metrics: Metrics) -> str:
    """HTML about one model. `metrics` is its manifest's; its `cross_validation` is shown where there is one."""
    rows = "".join(_row(name, figures) for name, figures in _rows(metrics))
    return f"<h3>{shown(model_id)}</h3>\n" + (_table(metrics["cross_validation"], rows) if rows else NOTHING_KNOWN)


def _rows(metrics: Metrics) -> list[tuple[str, Metrics]]:
    measured = metrics.get("cross_validation")
    rows = measured.get("rows") if isinstance(measured, Mapping) else None
    return [(name, row) for name, row in rows.items() if isinstance(row, Mapping)] if isinstance(rows, Mapping) else []


def _table(measured: Metrics, rows: str) -> str:
    origin = f"{measured.get('dataset', 'unnamed data')}, {measured.get('extent', 'extent not said')}"
    return f"""<div class="scroll" role="region" aria-label="Measured performance" tabindex="0"><table class="list">
<caption>Measured on people whom the network had never heard ({shown(origin)})</caption>
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
