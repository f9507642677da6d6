"""Train: `python -m train.run --recipe NAME --data [NAME=]DIR --out DIR`; the same command goes on after a kill."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from edge.errors import EdgeError
from train.config import Config, DatasetConfig, Protocol
from train.data import folders_from_arguments, tell_what_is_there
from train.distributed import open_workers
from train.errors import ConfigError, TrainError
from train.overrides import overridden
from train.recipes import RECIPES, fine_tuning, for_task, recipe_named
from train.task import Task
from train.training import train


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.run`."""
    parser = argparse.ArgumentParser(prog="python -m train.run", description=__doc__)
    add_recipe_arguments(parser)
    parser.add_argument(
        "--fine-tune-for",
        metavar="DEVICE",
        help="stage 2: go on from --init with this stethoscope's recordings alone, by its token in ICBHI's file names"
        " (AKGC417L, LittC2SE, Litt3200, Meditron)",
    )
    return parser


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """What every training command takes."""
    parser.add_argument("--recipe", required=True, help=", ".join(RECIPES))
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="[NAME=]DIR",
        help="dataset folder; where the recipe has several: --data icbhi=DIR --data sprsound=DIR",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="run folder; an unfinished run in it goes on"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    parser.add_argument(
        "--init", type=Path, metavar="CKPT", help="checkpoint to begin from, instead of the recipe's initial weights"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="[NAME=]SPLIT",
        help="instead of the recipe's: official, fold-K, kfold-K-of-N",
    )
    parser.add_argument(
        "--task", choices=get_args(Task), default="four_class", help="two_class: normal or abnormal (paper, table 1)"
    )
    parser.add_argument(
        "--protocol",
        choices=get_args(Protocol),
        default="patientwise",
        help="published: select the epoch on the test side and pad its windows by label, as published figures were"
        " made; both leak (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="replace one field of the recipe, as in augmentation.padding=zero, spec.window_s=4,"
        " datasets.icbhi.device=Meditron",
    )


def config_from_arguments(arguments: argparse.Namespace) -> Config:
    """The recipe with what the command line replaces. Raises ConfigError."""
    config = recipe_named(arguments.recipe)
    device = getattr(arguments, "fine_tune_for", None)
    if device:
        config = fine_tuning(config, device)
    try:
        config = dataclasses.replace(
            for_task(config, arguments.task),
            seed=arguments.seed,
            protocol=arguments.protocol,
            datasets=_with_splits(config, arguments.split),
            epochs=config.epochs if arguments.epochs is None else arguments.epochs,
            initialisation="checkpoint" if arguments.init else config.initialisation,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return overridden(config, arguments.set)


def _with_splits(config: Config, arguments: Sequence[str]) -> tuple[DatasetConfig, ...]:
    splits = dict(_named(argument, config) for argument in arguments)
    return tuple(dataclasses.replace(each, split=splits.get(each.name, each.split)) for each in config.datasets)


def _named(argument: str, config: Config) -> tuple[str, str]:
    names = [dataset.name for dataset in config.datasets]
    name, equals, split = argument.partition("=")
    if not equals and len(names) == 1:
        return names[0], argument
    if name not in names:
        raise ConfigError(f"--split {argument}: name one of {', '.join(names)}, as in {names[0]}=kfold-0-of-5")
    return name, split


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        config = config_from_arguments(arguments)
        data = folders_from_arguments(arguments.data, [dataset.name for dataset in config.datasets])
        with open_workers(os.environ) as workers:
            if workers.is_first:
                tell_what_is_there(data)
            best = train(config, data, arguments.out, arguments.init)
    except (TrainError, EdgeError) as error:
        print(f"train.run: {error}", file=sys.stderr)
        return 2
    if workers.is_first:
        print(f"best checkpoint: {best}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
