"""Cross-validation by patient: `python -m train.cross_validate --recipe NAME --data … --out DIR`.

Every patient is tested once, by a network that never learnt from him: no epoch is selected, the last weights of each
fold answer. With `--fine-tune` each fold's network is also trained further for each stethoscope (stage 2): only where
that helps does a stethoscope deserve a model of its own. OUT/seed-N/answers-STAGE.npz keep what was said of every
cycle, for `python -m train.compare_answers`. The same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from train.answer_figures import figures_of_answers
from train.answers import answers_from_cycles, write_answers
from train.checkpoint import load_checkpoint, network_from_checkpoint
from train.compare_answers import answers_file
from train.config import Config
from train.cycles import Cycle, CycleStore, LoadCycles
from train.data import extent, folders_from_arguments, read_dataset, tell_what_is_there
from train.dataset import evaluation_images
from train.distributed import accelerator
from train.errors import AbsentClassError, ConfigError, TrainError
from train.evaluation_text import text_from_report
from train.holdings import coverage
from train.loop import predict
from train.recipes import fine_tuning
from train.recording import Recording
from train.run import add_recipe_arguments, config_from_arguments
from train.run_folder import read_metrics, write_json
from train.splits import patient_fold
from train.tables.spread import spread
from train.task import cycles_for
from train.training import train
from train.two_stages import COMMON

DEFAULT_FOLDS = 4
"""Each leaves two or three of the nine patients that the ICBHI subset has of a Litt3200."""

FINE_TUNED = "fine_tuned"


@dataclass(frozen=True)
class Study:
    """What is cross-validated, and on what."""

    config: Config
    data: Mapping[str, Path]
    out: Path
    init: Path | None
    folds: int
    fine_tune: bool
    load: LoadCycles


@dataclass(frozen=True)
class FoldAnswers:
    """Out-of-fold probabilities, float32 [number of cycles, classes], by the stage that gave them."""

    cycles: list[Cycle]
    by_stage: dict[str, list[NDArray[np.float32]]]
    other_datasets: list[dict[str, Any]]
    """Per fold, the last validation figures of the datasets that are trained on beside the one tested."""


def cross_validate(study: Study) -> dict[str, Any]:
    """Figures of all out-of-fold answers together, on the recipe's first dataset. Raises TrainError."""
    if study.folds < 2:
        raise ConfigError(f"--folds {study.folds}: give 2 or more")
    dataset = study.config.datasets[0].name
    recordings = read_dataset(dataset, study.data[dataset])
    answers = FoldAnswers([], {COMMON: [], **({FINE_TUNED: []} if study.fine_tune else {})}, [])
    for fold in range(study.folds):
        _answer_fold(study, recordings, fold, answers)
    return {
        "model": f"{study.folds} folds in {study.out}",
        "dataset": dataset,
        "extent": extent(dataset, recordings),
        "coverage": coverage(dataset, f"kfold-*-of-{study.folds}", recordings, recordings, study.data[dataset]),
        "split": f"kfold-*-of-{study.folds}",
        "recordings": len(recordings),
        "patients_trained_on": 0,
        "seed": study.config.seed,
        **_figures(study, answers, COMMON),
        **({FINE_TUNED: _figures(study, answers, FINE_TUNED)} if study.fine_tune else {}),
        "other_datasets": answers.other_datasets,
    }


def fold_config(config: Config, fold: int, folds: int) -> Config:
    """The configuration of one fold: its patients tested, all others trained on, none held back for selection."""
    tested = dataclasses.replace(config.datasets[0], split=f"kfold-{fold}-of-{folds}", validation_share=0.0)
    return dataclasses.replace(config, datasets=(tested, *config.datasets[1:]))


def _answer_fold(study: Study, recordings: Sequence[Recording], fold: int, answers: FoldAnswers) -> None:
    config, folder = fold_config(study.config, fold, study.folds), study.out / f"fold-{fold}"
    train(config, study.data, folder / COMMON, study.init, study.load)
    test = patient_fold(recordings, fold, study.folds).test
    tested = cycles_for(config.task, study.load(test, config.spec))
    common = _answers_of(folder / COMMON / "last", tested)
    answers.cycles.extend(tested)
    answers.by_stage[COMMON].append(common)
    answers.other_datasets.append(read_metrics(folder / COMMON)[-1]["validation"])
    if study.fine_tune:
        answers.by_stage[FINE_TUNED].append(_fine_tuned_answers(study, config, folder, tested, common))


def _fine_tuned_answers(
    study: Study, config: Config, folder: Path, tested: Sequence[Cycle], common: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Each device's cycles answered by its own stage 2; the common answers where a device lacks a class."""
    answers = common.copy()
    for device in sorted({cycle.device for cycle in tested}):
        try:
            train(fine_tuning(config, device), study.data, folder / device, folder / COMMON / "last", study.load)
        except AbsentClassError as error:
            print(f"{folder.name}, {device}: {error}; the common model answers", file=sys.stderr)
            continue
        own = np.array([cycle.device == device for cycle in tested])
        mine = [cycle for cycle, chosen in zip(tested, own, strict=True) if chosen]
        answers[own] = _answers_of(folder / device / "last", mine)
    return answers


def _answers_of(folder: Path, cycles: Sequence[Cycle]) -> NDArray[np.float32]:
    checkpoint = load_checkpoint(folder)
    network = network_from_checkpoint(checkpoint).to(accelerator())
    return predict(network, evaluation_images(cycles, checkpoint.spec))


def _figures(study: Study, answers: FoldAnswers, stage: str) -> dict[str, Any]:
    """Of the answers of one stage, which are also written, for `train.compare_answers`."""
    found = answers_from_cycles(answers.cycles, np.concatenate(answers.by_stage[stage]))
    write_answers(study.out / answers_file(stage), found)
    return figures_of_answers(found)


def text_from_seeds(reports: Sequence[Mapping[str, Any]]) -> str:
    """Mean and standard deviation over seeds of Score, Se, Sp and AUC, in percent, per stage and device."""
    lines = [f"{'mean ± sd of ' + str(len(reports)) + ' seeds':30}{'Score':>13}{'Se':>13}{'Sp':>13}{'AUC':>13}"]
    for stage in (COMMON, FINE_TUNED):
        tables = [report if stage == COMMON else report[stage] for report in reports if stage in (COMMON, *report)]
        for device in ("all", *(tables[0]["devices"] if tables else ())):
            rows = [table if device == "all" else table["devices"][device] for table in tables]
            if rows:
                keys = ("score", "sensitivity", "specificity", "abnormal_auc")
                lines.append(
                    f"{stage + ', ' + device:30}" + "".join(_mean_and_sd([row[key] for row in rows]) for key in keys)
                )
    return "\n".join(lines)


def _mean_and_sd(values: Sequence[float | None]) -> str:
    found = spread(values)
    if found is None:
        return f"{'-':>13}"
    sd = "" if found.sd is None else f" ± {100 * found.sd:.1f}"
    return f"{100 * found.mean:.1f}{sd}".rjust(13)


def build_parser() -> argparse.ArgumentParser:
    """The command line: that of `train.run`, the number of folds and seeds, and stage 2."""
    parser = argparse.ArgumentParser(
        prog="python -m train.cross_validate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_recipe_arguments(parser)
    parser.add_argument("--folds", type=int, default=DEFAULT_FOLDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="repeat with N seeds (default: %(default)s)")
    parser.add_argument("--fine-tune", action="store_true", help="also train stage 2 for each stethoscope in each fold")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        reports = _reports(arguments)
    except (TrainError, EdgeError) as error:
        print(f"train.cross_validate: {error}", file=sys.stderr)
        return 2
    write_json(arguments.out / "report.json", {"seeds": reports})
    print(text_from_report(reports[0]))
    print("", text_from_seeds(reports), sep="\n")
    return 0


def _reports(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    if arguments.split:
        raise ConfigError("--split: the folds decide it")
    if arguments.seeds < 1:
        raise ConfigError(f"--seeds {arguments.seeds}: give 1 or more")
    config = config_from_arguments(arguments)
    data = folders_from_arguments(arguments.data, [dataset.name for dataset in config.datasets])
    tell_what_is_there(data)
    load = CycleStore().load
    reports = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        seeded, out = dataclasses.replace(config, seed=seed), arguments.out / f"seed-{seed}"
        reports.append(
            cross_validate(Study(seeded, data, out, arguments.init, arguments.folds, arguments.fine_tune, load))
        )
    return reports


if __name__ == "__main__":
    raise SystemExit(main())
