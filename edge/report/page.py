"""The frame around the cards: head with style and policy, guide, table of recordings; the script at the end."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from string import Template

import numpy as np

from edge.report.model_facts import Metrics, model_facts
from edge.report.overview import Row, summary, table
from edge.report.png import png_from_levels
from edge.report.spectrogram import COLOURS, RANGE_DB, palette
from edge.report.text import count_words, shown
from edge.signal.spec import FeatureSpec

FOLDER = Path(__file__).parent


def opening(
    rows: Sequence[Row], metrics: Mapping[str, Metrics], spec: FeatureSpec, made_on: date, sound_note: str
) -> str:
    """Everything before the first card. `metrics`: of each model by its id, as far as known."""
    scale = base64.b64encode(png_from_levels(np.arange(COLOURS, dtype=np.uint8)[np.newaxis], palette())).decode("ascii")
    models = sorted({model for row in rows for model in row.models})
    return Template(_part("page.html")).substitute(
        policy=content_security_policy(),
        title=count_words(len(rows), "recording"),
        style=_part("page.css"),
        summary=summary(rows),
        made_on=made_on.isoformat(),
        sound_note=shown(sound_note),
        window_s=f"{spec.window_s:g}",
        range_db=f"{RANGE_DB:g}",
        scale=f"data:image/png;base64,{scale}",
        colours=COLOURS,
        models="\n".join(model_facts(model, metrics.get(model, {})) for model in models),
        table=table(rows),
    )


def closing() -> str:
    """Everything after the last card."""
    return Template(_part("end.html")).substitute(script=_part("page.js"))


def content_security_policy() -> str:
    """Nothing from anywhere, and of what stands in the page only this style, this script, its images and its sounds."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            "media-src data:",
            f"style-src {_hash_source(_part('page.css'))}",
            f"script-src {_hash_source(_part('page.js'))}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash_source(content: str) -> str:
    """As Content Security Policy Level 3, section 2.3.1, names inline content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode('ascii')}'"


def _part(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
