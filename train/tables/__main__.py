"""The paper's tables beside what was measured: `python -m train.tables 4 --data ICBHI`, `... 1 --runs DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.errors import EdgeError
from train.errors import ConfigError, TrainError
from train.tables.ablation import ablation
from train.tables.annotations import AnnotationSet, fold_of_patient, read_annotation_set
from train.tables.attainable import table_6_notes
from train.tables.figure_4 import figure_4
from train.tables.figure_6 import figure_6
from train.tables.folds import folds
from train.tables.run_results import FoundRuns, find_runs
from train.tables.table import Table, markdown, text, to_dict, write_values
from train.tables.table_1 import SPLITS, table_1
from train.tables.table_2 import table_2
from train.tables.table_3 import table_3
from train.tables.table_4 import table_4
from train.tables.table_5 import table_5
from train.tables.table_6 import table_6

FROM_ANNOTATIONS: Final[Mapping[str, Callable[[AnnotationSet], list[Table]]]] = {
    "4": lambda annotations: [table_4(annotations)],
    "5": lambda annotations: [table_5(annotations)],
    "figure-4": figure_4,
}
FROM_RUNS: Final[Mapping[str, Callable[[FoundRuns, Path | None], list[Table]]]] = {
    "1": lambda found, _: table_1(found),
    "2": lambda found, _: [table_2(found)],
    "3": lambda found, data: [table_3(found, read_annotation_set(data) if data else None)],
    "6": lambda found, data: table_6(found, _notes_of_table_6(data) if data else ()),
    "figure-6": lambda found, _: figure_6(found),
    "ablation": lambda found, _: [ablation(found)],
    "folds": lambda found, _: [folds(found)],
}


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.tables`."""
    parser = argparse.ArgumentParser(prog="python -m train.tables", description=__doc__)
    parser.add_argument(
        "table",
        choices=sorted({*FROM_ANNOTATIONS, *FROM_RUNS}),
        help="its number in the paper; or section 3's ablation, or all five folds",
    )
    parser.add_argument(
        "--data", type=Path, metavar="ICBHI", help="the database's folder: tables 4 and 5, figure 4; adds to 3 and 6"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folders with finished runs in or below them: tables 1, 2, 3 and 6, figure 6",
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of aligned text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the values here too, unrounded")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        tables = make_tables(arguments)
        if arguments.json:
            write_values(arguments.json, [to_dict(table) for table in tables])
    except (TrainError, EdgeError) as error:
        print(f"train.tables: {error}", file=sys.stderr)
        return 2
    written = markdown if arguments.markdown else text
    print("\n\n".join(written(table) for table in tables))
    return 0


def make_tables(arguments: argparse.Namespace) -> list[Table]:
    """The tables that the command line asks for. Raises TrainError, edge's EdgeError."""
    name: str = arguments.table
    if name in FROM_RUNS:
        if not arguments.runs:
            raise ConfigError(
                f"table {name} is made from training runs: add --runs DIR, a folder with run folders in it"
            )
        return FROM_RUNS[name](find_runs(arguments.runs), arguments.data)
    if arguments.data is None:
        raise ConfigError(f"table {name} is counted from annotations: add --data ICBHI, the database's folder")
    return FROM_ANNOTATIONS[name](read_annotation_set(arguments.data))


def _notes_of_table_6(data: Path) -> list[str]:
    """What the annotations of the whole database say about the paper's rows; of a part they can say nothing."""
    annotations, folds = read_annotation_set(data), fold_of_patient(data)
    if annotations.extent == "subset":
        return []
    fold = int(SPLITS["80/20"].removeprefix("fold-"))
    return table_6_notes([each for each in annotations.recordings if folds.get(each.name.patient) == fold])


if __name__ == "__main__":
    raise SystemExit(main())
