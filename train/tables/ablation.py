"""Section 3: the techniques one by one, and the paddings of training windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from train import paper
from train.paper import PublishedScore
from train.tables.group import groups
from train.tables.legend import legend, legend_notes
from train.tables.measurement import measurements
from train.tables.method import WITHOUT_AUGMENTATION
from train.tables.run_results import FoundRuns
from train.tables.score_rows import COLUMNS, missing_row, score_rows
from train.tables.table import Column, Table, Value
from train.tables.table_1 import SPLITS, WINDOW_S, missing_notes

COMMAND = "python -m train.reproduce ablation --recipe NAME --data ICBHI --out DIR"

_BASE = paper.SCORE_WITH_STANDARD_AUGMENTATION
SCORES: Final[Mapping[str, float | None]] = {
    WITHOUT_AUGMENTATION: paper.SCORE_WITHOUT_AUGMENTATION,
    paper.NETWORK: _BASE,
    f"{paper.NETWORK}+CBA": paper.SCORE_WITH_CONCATENATION,
    f"{paper.NETWORK}+BRC": _BASE + paper.BLANK_CLIPPING_GAIN,
    paper.TECHNIQUES: paper.SCORE_WITH_CLIPPING_AND_CONCATENATION,
    f"{paper.NETWORK}, zero padding": _BASE - paper.SMART_PADDING_GAIN_OVER_ZEROS,
    f"{paper.NETWORK}, reflection padding": _BASE - paper.SMART_PADDING_GAIN_OVER_REFLECTION,
    f"{paper.NETWORK}, repetition padding": None,
}
"""The paper's Score of each method; where it gives a gain only, the base model's Score and that gain."""


def ablation(found: FoundRuns) -> Table:
    """One row for each technique alone and with others. Raises ConfigError."""
    place = (SPLITS["80/20"], "four_class")
    every = [group for group in groups(measurements(found)) if group.place == place and group.window_s == WINDOW_S]
    chosen = [group for group in every if group.method in SCORES]
    letters = legend(chosen)
    rows: list[tuple[Value, ...]] = []
    for method in SCORES:
        own = [group for group in chosen if group.method == method]
        printed = printed_score(method)
        measured = [cells for group in own for cells in score_rows(printed, group, chosen, letters)]
        rows += [(method, *cells) for cells in measured or [missing_row(printed)]]
    missing = [method for method in SCORES if method not in {group.method for group in chosen}]
    return Table(
        title=f"Section 3: the techniques one by one, 80/20 split ({place[0]}), four classes",
        facts={"unit": "per cent, mean ± sd over seeds"},
        columns=(Column(name="method"), *COLUMNS),
        rows=tuple(rows),
        notes=(
            *legend_notes(letters),
            "Of CNN+BRC and of the paddings the paper gives gains only: they are set against its 66.2 here.",
            *missing_notes(missing, COMMAND),
        ),
    )


def printed_score(method: str) -> PublishedScore | None:
    """The row of table 1 where there is one, else what section 3 says."""
    wanted = ("80/20", "four_class", method)
    rows = [row for row in paper.TABLE_1 if (row.split, row.task, row.method) == wanted]
    score = SCORES.get(method)
    if rows or score is None:
        return rows[0] if rows else None
    return PublishedScore("80/20", "four_class", method, None, None, score)
