"""What was measured, as the Markdown that goes to the terminal and to docs/benchmarks.md."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LINE_LENGTH = 120


@dataclass(frozen=True)
class Table:
    """One group of figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
    """How it was measured, in a sentence or two."""


@dataclass(frozen=True)
class Ratio:
    """A measured ratio that was promised to be at least so high."""

    of: str
    measured: float
    to_reach: float

    @property
    def reached(self) -> bool:
        """Judged before rounding."""
        return self.measured >= self.to_reach


def markdown_from_tables(tables: Iterable[Table]) -> str:
    """All tables, one under the other."""
    return "\n".join(_section(table) for table in tables)


def verdict(ratios: Sequence[Ratio]) -> str:
    """Which of `ratios` were reached and which were missed, by how much, as a sentence each."""
    reached = [f"{ratio.of} ({ratio.measured:.1f})" for ratio in ratios if ratio.reached]
    missed = [f"{ratio.of} ({ratio.measured:.2f} of {ratio.to_reach:g})" for ratio in ratios if not ratio.reached]
    sentences = [f"{word}: {', '.join(names)}." for word, names in (("Reached", reached), ("Missed", missed)) if names]
    return " ".join(sentences)


def wrapped(text: str) -> str:
    """`text` in lines as long as those of the other files, whatever figures were put into it."""
    return textwrap.fill(text, LINE_LENGTH, break_long_words=False, break_on_hyphens=False)


def _section(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([f"## {table.title}", "", *lines, "", table.note, ""])
