"""Table 2: Score by the length of the window."""

from __future__ import annotations

from train import paper
from train.paper import PublishedScore
from train.tables.group import groups
from train.tables.legend import legend, legend_notes
from train.tables.measurement import measurements
from train.tables.run_results import FoundRuns
from train.tables.score_rows import COLUMNS, missing_row, score_rows
from train.tables.table import Column, Table, Value
from train.tables.table_1 import SPLITS, missing_notes

COMMAND = "python -m train.reproduce table-2 --recipe NAME --data ICBHI --out DIR"


def table_2(found: FoundRuns) -> Table:
    """The base model's rows for 1 to 9 s. Raises ConfigError."""
    place = (SPLITS["80/20"], "four_class")
    chosen = [group for group in groups(measurements(found)) if group.place == place and group.method == paper.NETWORK]
    chosen = [group for group in chosen if group.window_s in paper.TABLE_2]
    letters = legend(chosen)
    rows: list[tuple[Value, ...]] = []
    for window_s, score in paper.TABLE_2.items():
        printed = PublishedScore("80/20", "four_class", paper.NETWORK, None, None, score)
        own = [group for group in chosen if group.window_s == window_s]
        measured = [cells for group in own for cells in score_rows(printed, group, chosen, letters)]
        rows += [(window_s, *cells) for cells in measured or [missing_row(printed)]]
    missing = [f"{window_s} s" for window_s in paper.TABLE_2 if window_s not in {group.window_s for group in chosen}]
    return Table(
        title=f"Table 2: length of the window against Score, {paper.NETWORK}, 80/20 split ({place[0]}), four classes",
        facts={"unit": "per cent, mean ± sd over seeds"},
        columns=(Column(name="window, s"), *COLUMNS),
        rows=tuple(rows),
        notes=(*legend_notes(letters), *missing_notes(missing, COMMAND)),
    )
