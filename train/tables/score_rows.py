"""Rows of Sp, Se and Score: the paper's beside the measured ones, one for each reading of the test side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from train.metrics import Scores
from train.paper import PublishedScore
from train.tables.group import PROTOCOLS, Group, percent_spread
from train.tables.legend import setting
from train.tables.table import Column, Value

LEAKING = "best on test, windows padded by label"
"""The published protocol in full: the padding rule reads the label of the cycle that it is to be told."""

COLUMNS = (
    Column(name="protocol"),
    Column(name="Sp, paper", decimals=1),
    Column(name="Sp", decimals=1),
    Column(name="Se, paper", decimals=1),
    Column(name="Se", decimals=1),
    Column(name="Score, paper", decimals=1),
    Column(name="Score", decimals=1),
    Column(name="share of the label", decimals=1, signed=True),
    Column(name="seeds"),
    Column(name="cycles"),
    Column(name="extent"),
    Column(name="setting"),
)
"""All in per cent but the last four; `share of the label` is what padding by label adds to Score."""


def score_rows(
    printed: PublishedScore | None, group: Group, beside: Sequence[Group], letters: Mapping[str, str]
) -> list[tuple[Value, ...]]:
    """One row; two under the published protocol, whose figure is measured with and without reading the labels."""
    last = (len(group.measurements), group.first.cycles, group.first.test["extent"], letters[setting(group, beside)])
    rows = [(PROTOCOLS[group.protocol], *_beside(printed, group, "figures"), None, *last)]
    if group.first.test.get("leaking_figures"):
        share = percent_spread(
            [each.scores("leaking_figures").score - each.scores().score for each in group.measurements]
        )
        rows.append((LEAKING, *_beside(printed, group, "leaking_figures"), share, *last))
    return rows


def missing_row(printed: PublishedScore | None) -> tuple[Value, ...]:
    """The paper's figures alone."""
    specificity, sensitivity, score = _printed(printed)
    return (None, specificity, None, sensitivity, None, score, *[None] * (len(COLUMNS) - 6))


def _beside(printed: PublishedScore | None, group: Group, figures: str) -> tuple[Value, ...]:
    specificity, sensitivity, score = _printed(printed)
    return (
        specificity,
        group.percent(_specificity, figures),
        sensitivity,
        group.percent(_sensitivity, figures),
        score,
        group.percent(_score, figures),
    )


def _printed(row: PublishedScore | None) -> tuple[float | None, float | None, float | None]:
    return (row.specificity, row.sensitivity, row.score) if row else (None, None, None)


def _specificity(scores: Scores) -> float:
    return scores.specificity


def _sensitivity(scores: Scores) -> float:
    return scores.sensitivity


def _score(scores: Scores) -> float:
    return scores.score
