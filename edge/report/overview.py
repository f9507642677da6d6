"""The table of all recordings, one row each, which the page's script sorts and filters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from edge.report.findings import ABNORMAL, Findings
from edge.report.text import count_words, kind_class, label_words, length, percent, shown

COLUMNS = (
    ("file", "Recording", "text"),
    ("length", "Length", "number"),
    ("abnormal", "Abnormal", "number"),
    ("refused", "No label", "number"),
    ("peak", "Highest abnormal probability", "number"),
)
"""Key of the data that a column is sorted by, its heading, and what is compared."""


@dataclass(frozen=True)
class Row:
    """A recording's line; all that is kept of it until the page is complete."""

    html: str
    sound_s: float
    abnormal: bool
    """At least one window has an abnormal label."""
    refused: bool
    """At least one window has no label."""
    failed: bool
    models: frozenset[str]


def row(findings: Findings, anchor: str) -> Row:
    """The line of one recording, which leads to the card at `anchor`."""
    return Row(
        html=_row_html(findings, anchor),
        sound_s=findings.sound_s,
        abnormal=findings.abnormal > 0,
        refused=findings.refused > 0,
        failed=findings.error is not None,
        models=frozenset(findings.models),
    )


def table(rows: Iterable[Row]) -> str:
    """The whole table. Its headings become buttons where there is a script."""
    headings = "".join(f'<th scope="col" data-key="{key}" data-as="{kind}">{name}</th>' for key, name, kind in COLUMNS)
    return f"""<table id="overview"><thead><tr>{headings}<th scope="col">Found</th></tr></thead>
<tbody>
{"".join(row.html for row in rows)}</tbody></table>"""


def summary(rows: Iterable[Row]) -> str:
    """How many recordings, how long, how many of them flagged: HTML."""
    rows = list(rows)
    scored = [row for row in rows if not row.failed]
    parts = [
        f"<strong>{count_words(len(rows), 'recording')}</strong>, {length(sum(r.sound_s for r in scored))} of sound",
        f"<strong>{sum(row.abnormal for row in scored)}</strong> with at least one abnormal label",
        f"<strong>{sum(row.refused for row in scored)}</strong> with sound that was not fit to be labelled",
    ]
    if failed := len(rows) - len(scored):
        parts.append(f"<strong>{failed}</strong> could not be scored")
    return "<ul class='summary'>" + "".join(f"<li>{part}</li>" for part in parts) + "</ul>"


def _row_html(findings: Findings, anchor: str) -> str:
    name = PurePath(findings.source).name
    link = f'<th scope="row"><a href="#{anchor}"><bdi>{shown(name)}</bdi></a></th>'
    windows = max(findings.windows, 1)
    keys = {
        "card": anchor,
        "file": findings.source,
        "length": f"{findings.sound_s:.3f}",
        "abnormal": f"{findings.abnormal / windows:.4f}",
        "refused": f"{findings.refused / windows:.4f}",
        "peak": f"{-1 if findings.peak_probability is None else findings.peak_probability:.4f}",
        "labels": " ".join(_kinds(findings)),
    }
    data = " ".join(f'data-{key}="{shown(value)}"' for key, value in keys.items())
    return f"<tr {data}>{link}{_cells(findings)}</tr>\n"


def _cells(findings: Findings) -> str:
    if findings.error is not None:
        return '<td>–</td><td>–</td><td>–</td><td>–</td><td><span class="tag none">could not be scored</span></td>'
    peak = "–" if findings.peak_probability is None else percent(findings.peak_probability)
    shares = (f"{count} of {findings.windows}" for count in (findings.abnormal, findings.refused))
    cells = (length(findings.sound_s), *shares, peak)
    kinds = _kinds(findings)
    tags = " ".join(map(_tag, kinds))
    return "".join(f"<td>{cell}</td>" for cell in cells) + f"<td>{tags}</td>"


def _tag(kind: str) -> str:
    return f'<span class="tag {kind_class(kind)}">{label_words(None if kind == "none" else kind)}</span>'


def _kinds(findings: Findings) -> list[str]:
    """What a filter may ask for: abnormal labels, else `normal`; `none` where sound was refused; `failed`."""
    if findings.error is not None:
        return ["failed"]
    kinds = [label for label in ABNORMAL if findings.labels[label]]
    if not kinds and findings.labels["normal"]:
        kinds = ["normal"]
    return [*kinds, "none"] if findings.refused else kinds
