"""Both stages of the paper: `python -m train.two_stages --recipe NAME --data DIR --out OUT`.

Stage 1 trains the common model in OUT/common; stage 2 trains it further for each stethoscope, in OUT/DEVICE. The same
command goes on after a kill.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import EdgeError
from train.config import Config
from train.cycles import CycleStore, LoadCycles
from train.data import folders_from_arguments, run_recordings, tell_what_is_there
from train.errors import AbsentClassError, TrainError
from train.recipes import fine_tuning
from train.run import add_recipe_arguments, config_from_arguments
from train.training import train

COMMON = "common"


def train_two_stages(
    config: Config, data: Mapping[str, Path], out: Path, init: Path | None, load: LoadCycles
) -> dict[str, Path]:
    """Best checkpoint by device, and of the `common` model, which also serves each device that lacks a class.

    Raises TrainError.
    """
    best = {COMMON: train(config, data, out / COMMON, init, load)}
    for device in training_devices(config, data):
        try:
            best[device] = train(fine_tuning(config, device), data, out / device, best[COMMON], load)
        except AbsentClassError as error:
            print(f"{device}: {error}; until then the common model serves it", file=sys.stderr)
            best[device] = best[COMMON]
    return best


def training_devices(config: Config, data: Mapping[str, Path]) -> list[str]:
    """The stethoscopes on the training side of the recipe's first dataset, sorted. Raises DatasetError, SplitError."""
    dataset = config.datasets[0]
    part = run_recordings(dataset, data[dataset.name], config.protocol)
    return sorted({recording.device for recording in part.training})


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.two_stages`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.two_stages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_recipe_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        config = config_from_arguments(arguments)
        data = folders_from_arguments(arguments.data, [dataset.name for dataset in config.datasets])
        tell_what_is_there(data)
        best = train_two_stages(config, data, arguments.out, arguments.init, CycleStore().load)
    except (TrainError, EdgeError) as error:
        print(f"train.two_stages: {error}", file=sys.stderr)
        return 2
    for device, checkpoint in best.items():
        print(f"{device}: {checkpoint}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
