"""Figures over every patient of a dataset, each heard only by a network that never learnt from him.

`python -m train.cross_validate --recipe joint --data icbhi=DIR --data sprsound=DIR --init CKPT --out DIR [--folds N]`

One run folder per fold, so that a killed command goes on. Nothing is selected on the patients tested: a fold trains on
all others to the recipe's end, and its last weights are taken.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from train.checkpoint import load_checkpoint, network_from_checkpoint
from train.config import Config
from train.cycles import Cycle, load_cycles
from train.data import READERS, extent, folders_from_arguments
from train.dataset import evaluation_images
from train.errors import ConfigError, TrainError
from train.evaluate import figures, text_from_report
from train.loop import predict
from train.run import build_parser as build_run_parser
from train.run import config_from_arguments
from train.run_folder import write_json
from train.splits import patient_fold
from train.training import train

DEFAULT_FOLDS = 4
"""Each leaves two or three of the nine patients that the ICBHI subset has of a Litt3200."""


def cross_validate(
    config: Config, data: Mapping[str, Path], out: Path, init: Path | None, folds: int
) -> dict[str, Any]:
    """Train `folds` times and return the figures of all out-of-fold answers together, on the recipe's first dataset.

    Raises ConfigError for fewer than two folds, and as `train`.
    """
    if folds < 2:
        raise ConfigError(f"--folds {folds}: give 2 or more")
    dataset = config.datasets[0].name
    recordings = READERS[dataset](data[dataset])
    cycles: list[Cycle] = []
    answers: list[NDArray[np.float32]] = []
    for fold in range(folds):
        train(fold_config(config, fold, folds), data, out / f"fold-{fold}", init)
        checkpoint = load_checkpoint(out / f"fold-{fold}" / "last")
        tested = load_cycles(patient_fold(recordings, fold, folds).test, config.spec, progress=True)
        answers.append(predict(network_from_checkpoint(checkpoint), evaluation_images(tested, config.spec)))
        cycles += tested
    return {
        "model": f"{folds} folds in {out}",
        "dataset": dataset,
        "extent": extent(dataset, recordings),
        "split": f"kfold-*-of-{folds}",
        "recordings": len(recordings),
        "patients_trained_on": 0,
        **figures(cycles, np.concatenate(answers)),
    }


def fold_config(config: Config, fold: int, folds: int) -> Config:
    """The configuration of one fold: its patients tested, all others trained on, none held back for selection."""
    tested = dataclasses.replace(config.datasets[0], split=f"kfold-{fold}-of-{folds}", validation_share=0.0)
    return dataclasses.replace(config, datasets=(tested, *config.datasets[1:]))


def build_parser() -> argparse.ArgumentParser:
    """The command line: that of `train.run`, and the number of folds."""
    parser = build_run_parser()
    parser.prog, parser.description = "python -m train.cross_validate", __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--folds", type=int, default=DEFAULT_FOLDS, metavar="N", help="default: %(default)s")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        config = config_from_arguments(arguments)
        data = folders_from_arguments(arguments.data, [dataset.name for dataset in config.datasets])
        report = cross_validate(config, data, arguments.out, arguments.init, arguments.folds)
    except (TrainError, EdgeError) as error:
        print(f"train.cross_validate: {error}", file=sys.stderr)
        return 2
    write_json(arguments.out / "report.json", report)
    print(text_from_report(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
