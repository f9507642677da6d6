"""The paper's figures as PNG files, with their numbers as text.

`python -m train.figures 3 --before RUN --after RUN --data ICBHI --output FILE.png`: a cycle and where networks look
`python -m train.figures 4 --data ICBHI --output FILE.png`: how long cycles are
`python -m train.figures 5 --before RUN --after RUN --data ICBHI --output FILE.png`: where networks look, on average
`python -m train.figures 6 --runs DIR --output FILE.png`: confusion before and after fine-tuning
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, get_args

from matplotlib.figure import Figure

from edge.errors import EdgeError
from train.errors import TrainError
from train.figures.average_attention import Classes
from train.figures.comparison import compare
from train.figures.figure_3 import figure_3
from train.figures.figure_4 import figure_4
from train.figures.figure_5 import figure_5
from train.figures.figure_6 import figure_6
from train.figures.picture import save_picture
from train.tables.annotations import read_annotation_set
from train.tables.run_results import find_runs
from train.tables.table import Table, text


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.figures`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.figures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    figures = parser.add_subparsers(dest="figure", required=True, metavar="N")
    third = figures.add_parser("3", help="one cycle and where the networks look, without and with clipping")
    fourth = figures.add_parser("4", help="how long the annotated cycles are")
    fifth = figures.add_parser("5", help="where the networks look on average, without and with clipping")
    sixth = figures.add_parser("6", help="confusion matrices before and after fine-tuning")
    for each in (third, fifth):
        _add_compared_runs(each)
    third.add_argument(
        "--cycle", type=_cycle, metavar="RECORDING:INDEX", help="instead of the most telling one; the first has index 0"
    )
    for each in (third, fourth, fifth):
        each.add_argument("--data", type=Path, required=True, metavar="ICBHI", help="the database's folder")
    sixth.add_argument(
        "--runs", type=Path, nargs="+", required=True, metavar="DIR", help="folders with run folders in or below them"
    )
    for each in (third, fourth, fifth, sixth):
        each.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="picture to write")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        picture, tables = FIGURES[arguments.figure](arguments)
        save_picture(picture, arguments.output)
    except (TrainError, EdgeError) as error:
        print(f"train.figures: {error}", file=sys.stderr)
        return 2
    print("\n\n".join(text(table) for table in tables))
    print(f"\npicture: {arguments.output}")
    return 0


def _figure_3(arguments: argparse.Namespace) -> tuple[Figure, list[Table]]:
    compared = compare(arguments.before, arguments.after, arguments.data)
    picture, table = figure_3(compared, arguments.classes, arguments.cycle)
    return picture, [table]


def _figure_4(arguments: argparse.Namespace) -> tuple[Figure, list[Table]]:
    return figure_4(read_annotation_set(arguments.data))


def _figure_5(arguments: argparse.Namespace) -> tuple[Figure, list[Table]]:
    picture, table = figure_5(compare(arguments.before, arguments.after, arguments.data), arguments.classes)
    return picture, [table]


def _figure_6(arguments: argparse.Namespace) -> tuple[Figure, list[Table]]:
    return figure_6(find_runs(arguments.runs))


FIGURES: Final[Mapping[str, Callable[[argparse.Namespace], tuple[Figure, list[Table]]]]] = {
    "3": _figure_3,
    "4": _figure_4,
    "5": _figure_5,
    "6": _figure_6,
}


def _add_compared_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--before", type=Path, required=True, metavar="RUN", help="run folder trained without blank region clipping"
    )
    parser.add_argument("--after", type=Path, required=True, metavar="RUN", help="the same training with it")
    parser.add_argument(
        "--classes",
        choices=get_args(Classes),
        default="predicted",
        help="what the maps speak for: each network's own answer, or the annotated class (default: %(default)s)",
    )


def _cycle(argument: str) -> tuple[str, int]:
    recording, _, index = argument.rpartition(":")
    if not recording or not index.isdecimal():
        raise argparse.ArgumentTypeError(f"{argument!r} is not RECORDING:INDEX, as in 101_1b1_Al_sc_Meditron:0")
    return recording, int(index)


if __name__ == "__main__":
    raise SystemExit(main())
