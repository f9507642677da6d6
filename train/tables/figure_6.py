"""Figure 6: confusion matrices before and after fine-tuning for each stethoscope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS
from train.tables.group import PROTOCOLS, Group
from train.tables.legend import setting
from train.tables.measurement import Measurement, total
from train.tables.run_results import FoundRuns
from train.tables.table import Column, Table, Value
from train.tables.table_1 import SPLITS, WINDOW_S, missing_notes
from train.tables.table_3 import fine_tuned_groups

COMMAND = "python -m train.reproduce figure-6 --recipe NAME --data ICBHI --out DIR"


@dataclass(frozen=True)
class Confusion:
    """Counts of one kind of run, all seeds added up, before and after stage 2."""

    before: NDArray[np.int64]
    """int64 [true label, predicted label] of the common models."""
    after: NDArray[np.int64]
    """The same cycles by the fine-tuned networks, each on its own stethoscope's."""
    seeds: int
    extent: str
    """`subset` or `full`."""
    protocol: str
    setting: str
    """Which recipe it came from, in words."""


def confusions(found: FoundRuns) -> list[Confusion]:
    """One for each kind of stage 2 runs on the 80/20 split with four classes. Raises ConfigError."""
    place = (SPLITS["80/20"], "four_class")
    chosen = [group for group in fine_tuned_groups(found) if group.place == place and group.window_s == WINDOW_S]
    return [_confusion(group, chosen) for group in chosen]


def figure_6(found: FoundRuns) -> list[Table]:
    """Counts and shares of each true class, before and after; the paper prints no numbers. Raises ConfigError."""
    pairs = confusions(found)
    tables = [_table(pair, when) for pair in pairs for when in ("before", "after")]
    return tables or [_missing()]


def _confusion(group: Group, beside: Sequence[Group]) -> Confusion:
    return Confusion(
        before=_added(tuple(each.without_stage_2() for each in group.measurements)),
        after=_added(group.measurements),
        seeds=len(group.measurements),
        extent=str(group.first.test["extent"]),
        protocol=PROTOCOLS[group.protocol],
        setting=setting(group, beside),
    )


def _added(measured: Sequence[Measurement]) -> NDArray[np.int64]:
    return np.asarray(np.sum([total(each.confusions()) for each in measured], axis=0), dtype=np.int64)


def _table(pair: Confusion, when: str) -> Table:
    matrix = pair.before if when == "before" else pair.after
    return Table(
        title=f"Figure 6: confusion matrix {when} fine-tuning, 80/20 split, four classes",
        facts={
            "seeds, added up": pair.seeds,
            "cycles": int(matrix.sum()) // pair.seeds,
            "extent": pair.extent,
            "protocol": pair.protocol,
            "setting": pair.setting,
        },
        columns=_columns(),
        rows=tuple(_row(label, counts) for label, counts in zip(LABELS, matrix, strict=True)),
        notes=("The paper prints this figure without numbers that could be set beside these.",),
    )


def _columns() -> tuple[Column, ...]:
    counts = (Column(name=f"said {label}") for label in LABELS)
    shares = (Column(name=f"% {label}", decimals=1) for label in LABELS)
    return (Column(name="true"), *counts, *shares)


def _row(label: str, counts: NDArray[np.int64]) -> tuple[Value, ...]:
    cycles = int(counts.sum())
    shares = [100 * count / cycles if cycles else None for count in counts.tolist()]
    return (label, *counts.tolist(), *shares)


def _missing() -> Table:
    return Table(
        title="Figure 6: confusion matrices before and after fine-tuning, 80/20 split, four classes",
        facts={},
        columns=_columns(),
        rows=tuple((label, *[None] * 8) for label in LABELS),
        notes=tuple(missing_notes(["both stages"], COMMAND)),
    )
