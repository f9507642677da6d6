"""What a graph may differ from its reference by before it is refused."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Thresholds:
    """Beyond these a graph is not released."""

    max_score_drop: float = 0.5
    """Points of Score, per dataset; graphs of lower precision."""
    min_agreement: float = 0.98
    """Share of cycles with the same decision; graphs of lower precision."""
    max_probability_difference: float = 1e-4
    """FP32 graphs."""


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """`--max-score-drop` and `--min-agreement`."""
    default = Thresholds()
    parser.add_argument(
        "--max-score-drop", type=float, default=default.max_score_drop, help="points (default: %(default)s)"
    )
    parser.add_argument(
        "--min-agreement", type=float, default=default.min_agreement, help="share of cycles (default: %(default)s)"
    )


def thresholds_from(arguments: argparse.Namespace) -> Thresholds:
    """What `add_thresholds` asked for."""
    return Thresholds(arguments.max_score_drop, arguments.min_agreement)


def objections_to(
    name: str, entry: Mapping[str, Any], reference: Mapping[str, Any], thresholds: Thresholds
) -> list[str]:
    """Why a graph must not be released, one line each; empty where it may. Entries are those of `export.measure`."""
    if entry["precision"] == "fp32":
        difference = entry["max_probability_difference"]
        within = difference <= thresholds.max_probability_difference
        limit = f"{thresholds.max_probability_difference:.0e}"
        return [] if within else [f"{name}: probabilities differ by {difference:.1e} > {limit}"]
    found = []
    if entry["agreement"] < thresholds.min_agreement:
        found.append(f"{name}: agrees in {entry['agreement']:.2%} of cycles < {thresholds.min_agreement:.2%}")
    for dataset, held in entry["figures"].items():
        drop = _points(reference["figures"][dataset]["score"]) - _points(held["score"])
        if drop > thresholds.max_score_drop:
            found.append(f"{name}: Score on {dataset} falls by {drop:.2f} points > {thresholds.max_score_drop:.2f}")
    return found


def _points(share: float | None) -> float:
    # A side without cycles has no Score; it then cannot fall.
    return 0.0 if share is None else 100 * share
