"""The authors' five patient folds, of which the paper has figures of one."""

from __future__ import annotations

from train.tables.ablation import printed_score
from train.tables.group import groups
from train.tables.legend import legend, legend_notes
from train.tables.measurement import measurements
from train.tables.run_results import FoundRuns
from train.tables.score_rows import COLUMNS, score_rows
from train.tables.table import Column, Table, Value
from train.tables.table_1 import SPLITS, WINDOW_S, missing_notes

COMMAND = "python -m train.reproduce folds --recipe NAME --data ICBHI --out DIR"
FOLDS = tuple(f"fold-{fold}" for fold in range(5))


def folds(found: FoundRuns) -> Table:
    """Every measured method on each of the authors' five folds; the paper has figures of fold 4 only."""
    every = [group for group in groups(measurements(found)) if group.window_s == WINDOW_S]
    chosen = sorted((g for g in every if g.place[0] in FOLDS), key=lambda group: (group.place, group.method))
    letters = legend(chosen)
    rows: list[tuple[Value, ...]] = []
    for group in chosen:
        split, task = group.place
        printed = printed_score(group.method) if (split, task) == (SPLITS["80/20"], "four_class") else None
        rows += [(split, task, group.method, *cells) for cells in score_rows(printed, group, chosen, letters)]
    missing = [fold for fold in FOLDS if fold not in {group.place[0] for group in chosen}]
    return Table(
        title="The authors' five patient folds, which are very uneven",
        facts={"unit": "per cent, mean ± sd over seeds"},
        columns=(Column(name="split"), Column(name="task"), Column(name="method"), *COLUMNS),
        rows=tuple(rows),
        notes=(*legend_notes(letters), *missing_notes(missing, COMMAND)),
    )
