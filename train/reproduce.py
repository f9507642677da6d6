"""Make the runs of a table or figure of the paper, then show it: `python -m train.reproduce table-1 --recipe NAME …`.

Runs that are already in OUT are not trained again, and a killed command goes on where it stopped. Tables print the
paper's figures beside the measured ones; `python -m train.tables` and `python -m train.figures` show them again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import EdgeError
from train.cycles import CycleStore, LoadCycles
from train.data import folders_from_arguments, tell_what_is_there
from train.errors import ConfigError, TrainError
from train.plan import PLANS, PlannedRun, table_6
from train.run import add_recipe_arguments, config_from_arguments
from train.tables.__main__ import main as show_table
from train.training import train
from train.two_stages import COMMON, train_two_stages

DEFAULT_SEEDS = 3

ATTENTION = ("figure-3", "figure-5")
"""Pictures, which need the recordings again: `train.figures` draws them."""


def make_runs(
    runs: Sequence[PlannedRun], data: Mapping[str, Path], out: Path, init: Path | None, load: LoadCycles
) -> None:
    """Train every planned run that `out` lacks, in order. Raises TrainError."""
    for number, run in enumerate(runs, start=1):
        print(f"[{number}/{len(runs)}] {run.path}", file=sys.stderr)
        if run.two_stages:
            train_two_stages(run.config, data, out / run.path, init, load)
        else:
            train(run.config, data, out / run.path / COMMON, init, load)


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.reproduce`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.reproduce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=PLANS, help="what to make the runs of")
    add_recipe_arguments(parser)
    parser.add_argument(
        "--seeds", type=int, default=DEFAULT_SEEDS, metavar="N", help="runs of each kind (default: %(default)s)"
    )
    parser.add_argument("--device", default="AKGC417L", help="table 6: train on this one (default: %(default)s)")
    return parser


def planned_runs(arguments: argparse.Namespace) -> list[PlannedRun]:
    """The runs that the command line asks for, seeds counted from `--seed`. Raises ConfigError."""
    if arguments.seeds < 1:
        raise ConfigError(f"--seeds {arguments.seeds}: give 1 or more")
    if arguments.split or arguments.task != "four_class":
        raise ConfigError("--split and --task are what the paper varies: the table or figure decides them")
    config = config_from_arguments(arguments)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    if arguments.what == "table-6":
        return table_6(config, seeds, arguments.device)
    return PLANS[arguments.what](config, seeds)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        runs = planned_runs(arguments)
        names = [dataset.name for dataset in runs[0].config.datasets]
        data = folders_from_arguments(arguments.data, names)
        tell_what_is_there(data)
        make_runs(runs, data, arguments.out, arguments.init, CycleStore().load)
    except (TrainError, EdgeError) as error:
        print(f"train.reproduce: {error}", file=sys.stderr)
        return 2
    return _show(arguments.what, arguments.out, data)


def _show(what: str, out: Path, data: Mapping[str, Path]) -> int:
    if what in ATTENTION:
        print(f"the runs are in {out}; draw them with python -m train.figures {what.removeprefix('figure-')} --help")
        return 0
    shown = [what.removeprefix("table-"), "--runs", str(out)]
    return show_table([*shown, "--data", str(data["icbhi"])] if "icbhi" in data else shown)


if __name__ == "__main__":
    raise SystemExit(main())
