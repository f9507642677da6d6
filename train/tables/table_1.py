"""Table 1: both splits and both tasks, by method."""

from __future__ import annotations

from collections.abc import Sequence

from train import paper
from train.tables.group import Group, groups
from train.tables.legend import legend, legend_notes
from train.tables.measurement import measurements
from train.tables.run_results import FoundRuns
from train.tables.score_rows import COLUMNS, missing_row, score_rows
from train.tables.table import Column, Table, Value

SPLITS = {"60/40": "official", "80/20": "fold-4"}
"""The paper's divisions and the splits that are them; the paper's 80/20 is the authors' fold 4."""
METHODS = (paper.NETWORK, paper.TECHNIQUES, paper.FINE_TUNED)
WINDOW_S = 7.0
"""Of all figures of table 1 (table 2)."""
COMMAND = "python -m train.reproduce table-1 --recipe NAME --data ICBHI --out DIR"


def table_1(found: FoundRuns) -> list[Table]:
    """One table for each split and task. Raises ConfigError."""
    everything = groups(measurements(found))
    blocks = dict.fromkeys((row.split, row.task) for row in paper.TABLE_1)
    return [_block(split, task, everything) for split, task in blocks]


def _block(split: str, task: str, everything: Sequence[Group]) -> Table:
    printed = [row for row in paper.TABLE_1 if (row.split, row.task) == (split, task)]
    here = [group for group in everything if group.place == (SPLITS[split], task) and group.method in METHODS]
    chosen = [group for group in here if group.window_s == WINDOW_S]
    letters = legend(chosen)
    rows: list[tuple[Value, ...]] = []
    for row in printed:
        own = [group for group in chosen if group.method == row.method]
        measured = [cells for group in own for cells in score_rows(row, group, chosen, letters)]
        rows += [(row.method, *cells) for cells in measured or [missing_row(row)]]
    missing = [row.method for row in printed if row.method in METHODS and row.method not in {g.method for g in chosen}]
    return Table(
        title=f"Table 1: {split} split ({SPLITS[split]}), {task.replace('_', ' ')}",
        facts={"unit": "per cent, mean ± sd over seeds"},
        columns=(Column(name="method"), *COLUMNS),
        rows=tuple(rows),
        notes=(*legend_notes(letters), *missing_notes(missing, COMMAND), *_left_out(len(here) - len(chosen))),
    )


def missing_notes(missing: Sequence[str], command: str) -> list[str]:
    """How to make what no run folder has."""
    return [f"No finished runs of {'; '.join(missing)}: {command}"] if missing else []


def _left_out(number: int) -> list[str]:
    return (
        [f"{number} kinds of runs with windows of another length than {WINDOW_S:g} s are left out."] if number else []
    )
