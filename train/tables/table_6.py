"""Table 6: trained on one stethoscope, tested on all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS
from train import paper
from train.metrics import scores_from_confusion
from train.tables.group import PROTOCOLS, group_runs, percent_spread
from train.tables.legend import described
from train.tables.measurement import one_device_runs, total
from train.tables.method import task_of
from train.tables.run_results import FoundRuns, RunResult
from train.tables.table import Column, Table, Value
from train.tables.table_1 import missing_notes

COMMAND = "python -m train.reproduce table-6 --recipe NAME --data ICBHI --out DIR --device DEVICE"

_COLUMNS = (
    Column(name="stethoscope"),
    Column(name="source"),
    *(Column(name=label, decimals=1) for label in LABELS),
    Column(name="Sp", decimals=1),
    Column(name="Se", decimals=1),
    Column(name="Score", decimals=1),
    Column(name="cycles"),
)


def table_6(found: FoundRuns, notes: Sequence[str] = ()) -> list[Table]:
    """One table for each kind of run that learnt from one stethoscope; `notes` go below each."""
    runs = [run for run in one_device_runs(found) if task_of(run.config) == "four_class"]
    tables = [_table(seeds, notes) for seeds in group_runs(runs)]
    if any(run.device == paper.TABLE_6_DEVICE for run in runs):
        return tables
    missing = missing_notes([f"training on {paper.TABLE_6_DEVICE} alone"], COMMAND)
    return [*tables, _layout("the paper's alone", {}, _rows(paper.TABLE_6_DEVICE, ()), [*notes, *missing])]


def _table(seeds: Sequence[RunResult], notes: Sequence[str]) -> Table:
    run = seeds[0]
    facts: dict[str, Value] = {
        "unit": "per cent, mean ± sd over seeds",
        "split": run.test["split"],
        "protocol": PROTOCOLS[run.test["protocol"]],
        "extent": run.test["extent"],
        **({"coverage": run.test["coverage"]} if run.test.get("coverage") else {}),
        "cycles": int(total(run.confusions()).sum()),
        "seeds": len(seeds),
        "setting": described(run),
    }
    return _layout(f"trained on {run.device} only", facts, _rows(run.device, seeds), notes)


def _layout(what: str, facts: dict[str, Value], rows: list[tuple[Value, ...]], notes: Sequence[str]) -> Table:
    return Table(
        title=f"Table 6: cycles of each class recognised, {what}",
        facts=facts,
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _rows(device: str, seeds: Sequence[RunResult]) -> list[tuple[Value, ...]]:
    """The paper's rows, where it trained on that device, and the measured ones."""
    rows: list[tuple[Value, ...]] = []
    printed, overall = device == paper.TABLE_6_DEVICE, paper.TABLE_6_OVERALL
    for tested in (*paper.DEVICES, "all"):
        if printed and tested == "all":
            rows.append((tested, "paper", *[None] * 4, overall.specificity, overall.sensitivity, overall.score, None))
        elif printed:
            rows.append((tested, "paper", *paper.TABLE_6[tested], *[None] * 4))
        if seeds:
            rows.append((tested, "measured", *_measured([_counts(run, tested) for run in seeds])))
    return rows


def _measured(counts: Sequence[NDArray[np.int64]]) -> tuple[Value, ...]:
    """Shares recognised, Sp, Se and Score in per cent, and the cycles tested."""
    scores = [scores_from_confusion(matrix) for matrix in counts]
    recognised = np.array([[_share(matrix[at, at], matrix[at].sum()) for at in range(4)] for matrix in counts])
    return (
        *(percent_spread(recognised[:, at].tolist()) for at in range(4)),
        percent_spread([each.specificity for each in scores]),
        percent_spread([each.sensitivity for each in scores]),
        percent_spread([each.score for each in scores]),
        int(counts[0].sum()),
    )


def _counts(run: RunResult, device: str) -> NDArray[np.int64]:
    counts = run.confusions()
    return total(counts) if device == "all" else counts.get(device, np.zeros((4, 4), dtype=np.int64))


def _share(hits: int, cycles: int) -> float:
    return hits / cycles if cycles else float("nan")
