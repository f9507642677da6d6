"""The paper's tables beside what was measured: `python -m train.tables 4 --data ICBHI`, `... 1 --runs DIR`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.errors import EdgeError
from train.errors import ConfigError, TrainError
from train.tables.annotations import AnnotationSet, read_annotation_set
from train.tables.figure_4 import figure_4
from train.tables.table import Table, markdown, text, to_dict
from train.tables.table_4 import table_4
from train.tables.table_5 import table_5

FROM_ANNOTATIONS: Final[Mapping[str, Callable[[AnnotationSet], list[Table]]]] = {
    "4": lambda annotations: [table_4(annotations)],
    "5": lambda annotations: [table_5(annotations)],
    "figure-4": figure_4,
}


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.tables`."""
    parser = argparse.ArgumentParser(prog="python -m train.tables", description=__doc__)
    parser.add_argument("table", choices=[*FROM_ANNOTATIONS], help="its number in the paper")
    parser.add_argument("--data", type=Path, metavar="ICBHI", help="the database's folder (tables 4 and 5, figure 4)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of aligned text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the values here too, unrounded")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        tables = make_tables(arguments)
        if arguments.json:
            _write_json(arguments.json, tables)
    except (TrainError, EdgeError) as error:
        print(f"train.tables: {error}", file=sys.stderr)
        return 2
    written = markdown if arguments.markdown else text
    print("\n\n".join(written(table) for table in tables))
    return 0


def make_tables(arguments: argparse.Namespace) -> list[Table]:
    """The tables that the command line asks for. Raises TrainError, edge's EdgeError."""
    if arguments.data is None:
        raise ConfigError(
            f"table {arguments.table} is counted from annotations: add --data ICBHI, the database's folder"
        )
    return FROM_ANNOTATIONS[arguments.table](read_annotation_set(arguments.data))


def _write_json(path: Path, tables: Sequence[Table]) -> None:
    try:
        path.write_text(json.dumps([to_dict(table) for table in tables], indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: cannot be written ({error.strerror}); give another file") from error


if __name__ == "__main__":
    raise SystemExit(main())
