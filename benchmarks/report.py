"""What was measured, as the Markdown that goes to the terminal and to docs/benchmarks.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One group of figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
    """How it was measured, in a sentence or two."""


def markdown_from_tables(tables: Iterable[Table]) -> str:
    """All tables, one under the other."""
    return "\n".join(_section(table) for table in tables)


def _section(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([f"## {table.title}", "", *lines, "", table.note, ""])
