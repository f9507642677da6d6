"""A table of figures and how it is written: as text, as Markdown, as JSON values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.errors import ConfigError
from train.tables.spread import Spread

Value = str | int | float | Spread | None

ABSENT = "–"
"""Shown where there is no value."""
DIFFERS = " *"
"""Behind a printed value that is not the measured one."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A named column and how its numbers are written."""

    name: str
    decimals: int = 0
    signed: bool = False
    """Whether a gain is written with its plus."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of values under named columns, with what the reader has to know."""

    title: str
    facts: Mapping[str, Value]
    """What holds for the whole table: extent, cycles, protocol."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    differing: frozenset[tuple[int, int]] = frozenset()
    """Row and column of printed values that are not the measured ones."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: every row needs {len(self.columns)} values")


def text(table: Table) -> str:
    """Aligned columns for a terminal: words to the left, numbers to the right."""
    cells = [[column.name for column in table.columns], *_written(table)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(table.columns))]
    left = _columns_of_words(table)
    lines = ["  ".join(_aligned(row, widths, left)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    head = [table.title, _facts(table)] if table.facts else [table.title]
    return "\n".join([*head, "", *lines, *_paragraphs(table.notes)])


def markdown(table: Table) -> str:
    """A GitHub-flavoured table under a heading."""
    left = _columns_of_words(table)
    rule = ["---" if at in left else "---:" for at in range(len(table.columns))]
    cells = [[column.name for column in table.columns], rule, *_written(table)]
    lines = ["| " + " | ".join(cell.strip().replace("|", "\\|") for cell in row) + " |" for row in cells]
    notes = [f"- {note}" for note in table.notes]
    head = [f"### {table.title}", "", *([_facts(table), ""] if table.facts else [])]
    return "\n".join([*head, *lines, *([""] if notes else []), *notes])


def to_dict(table: Table) -> dict[str, Any]:
    """Plain JSON values, numbers unrounded."""
    names = [column.name for column in table.columns]
    return {
        "title": table.title,
        **table.facts,
        "rows": [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in table.rows],
        "differing": [[row, names[column]] for row, column in sorted(table.differing)],
        "notes": list(table.notes),
    }


def write_values(path: Path, content: Any) -> None:
    """Indented JSON. Raises ConfigError where the file cannot be written."""
    try:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: cannot be written ({error.strerror}); give another file") from error


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with that many decimals and, if it is a gain, its sign."""
    return f"{value:{'+' if signed else ''}.{decimals}f}"


def _written(table: Table) -> list[list[str]]:
    columns_with_marks = {column for _, column in table.differing}
    return [
        [
            _cell(value, table.columns[at]) + _mark((row, at) in table.differing, at in columns_with_marks)
            for at, value in enumerate(values)
        ]
        for row, values in enumerate(table.rows)
    ]


def _mark(differs: bool, column_has_marks: bool) -> str:
    if differs:
        return DIFFERS
    return " " * len(DIFFERS) if column_has_marks else ""


def _cell(value: Value, column: Column) -> str:
    if value is None or isinstance(value, str):
        return ABSENT if value is None else value
    if isinstance(value, Spread):
        mean = number(value.mean, column.decimals, signed=column.signed)
        return mean if value.sd is None else f"{mean} ± {number(value.sd, column.decimals)}"
    return number(value, column.decimals, signed=column.signed)


def _plain(value: Value) -> Any:
    return dataclasses.asdict(value) if isinstance(value, Spread) else value


def _columns_of_words(table: Table) -> set[int]:
    return {at for at in range(len(table.columns)) if any(isinstance(row[at], str) for row in table.rows)}


def _aligned(row: Sequence[str], widths: Sequence[int], left: set[int]) -> Iterable[str]:
    for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if at in left else cell.rjust(width)


def _facts(table: Table) -> str:
    return "; ".join(f"{name}: {ABSENT if value is None else value}" for name, value in table.facts.items())


def _paragraphs(notes: Sequence[str]) -> list[str]:
    return ["", *(f"* {note}" for note in notes)] if notes else []
