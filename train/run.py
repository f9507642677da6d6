"""Train: `python -m train.run --recipe NAME --data [NAME=]DIR --out DIR`; the same command goes on after a kill."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import EdgeError
from train.config import Config
from train.data import folders_from_arguments
from train.errors import ConfigError, TrainError
from train.recipes import RECIPES, recipe_named
from train.training import train


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.run`."""
    parser = argparse.ArgumentParser(prog="python -m train.run", description=__doc__)
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
    parser.add_argument("--init", type=Path, metavar="CKPT", help="checkpoint to begin from, for recipes that need one")
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="[NAME=]SPLIT",
        help="instead of the recipe's: official, fold-K, kfold-K-of-N",
    )
    return parser


def config_from_arguments(arguments: argparse.Namespace) -> Config:
    """The recipe with what the command line replaces. Raises ConfigError."""
    config = recipe_named(arguments.recipe)
    splits = dict(_named(argument, config) for argument in arguments.split)
    datasets = tuple(dataclasses.replace(each, split=splits.get(each.name, each.split)) for each in config.datasets)
    epochs = config.epochs if arguments.epochs is None else arguments.epochs
    try:
        return dataclasses.replace(config, seed=arguments.seed, datasets=datasets, epochs=epochs)
    except ValueError as error:
        raise ConfigError(str(error)) from None


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
        best = train(config, data, arguments.out, arguments.init)
    except (TrainError, EdgeError) as error:
        print(f"train.run: {error}", file=sys.stderr)
        return 2
    print(f"best checkpoint: {best}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
