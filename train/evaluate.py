"""Figures of a checkpoint on one side of a split: `python -m train.evaluate --model CKPT --data DIR --split NAME`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from train.answer_figures import figures_of_answers
from train.answers import Answers, answers_from_cycles, matched, write_answers
from train.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint
from train.compare_answers import compare_answers
from train.config import Protocol
from train.cycles import Cycle, CycleStore, LoadCycles, read_cycles
from train.data import READERS, extent, folders_from_arguments, patients, read_dataset
from train.dataset import EvaluationPadding, evaluation_images
from train.distributed import accelerator
from train.errors import SplitError, TrainError
from train.evaluation_text import text_from_report
from train.holdings import coverage
from train.loop import predict
from train.recording import Recording
from train.run_folder import write_json
from train.splits import split_recordings
from train.task import cycles_for


def figures(cycles: Sequence[Cycle], probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """As `figures_of_answers`, without intervals; `probabilities` is [len(cycles), classes]."""
    return figures_of_answers(answers_from_cycles(cycles, probabilities), resamples=0)


def evaluate(
    checkpoint: Checkpoint,
    recordings: Sequence[Recording],
    load: LoadCycles = read_cycles,
    padding: EvaluationPadding = "repetition",
) -> dict[str, Any]:
    """Figures, with intervals, of what `answer` gives."""
    return figures_of_answers(answer(checkpoint, recordings, load, padding))


def answer(
    checkpoint: Checkpoint,
    recordings: Sequence[Recording],
    load: LoadCycles = read_cycles,
    padding: EvaluationPadding = "repetition",
) -> Answers:
    """What a checkpoint says of every cycle of recordings of one dataset, by the labels of its task.

    `padding="smart"` is the published protocol's, and leaks: it reads the labels that are asked for. Raises SplitError
    where the recordings hold no annotated cycle.
    """
    cycles = cycles_for(checkpoint.task, load(recordings, checkpoint.spec))
    if not cycles:
        raise SplitError("this side of the split has no annotated cycle; choose another --split")
    images = evaluation_images(cycles, checkpoint.spec, padding=padding, progress=True)
    network = network_from_checkpoint(checkpoint).to(accelerator())
    return answers_from_cycles(cycles, predict(network, images))


def select_recordings(
    recordings: Sequence[Recording], split: str, folder: Path, checkpoint: Checkpoint, dataset: str
) -> list[Recording]:
    """The recordings that `--split` names. Raises SplitError.

    `validation`: of the patients that the run held back; `unseen`: of all that it did not train on; `all`; a part of
    the dataset such as `intra`; or the test side of a split.
    """
    sides = checkpoint.training_run.get("patients", {}).get(dataset, {})
    if split == "validation":
        held = set(sides.get("validation", ()))
        return [recording for recording in recordings if recording.patient in held]
    if split == "unseen":
        return [recording for recording in recordings if recording.patient not in set(sides.get("training", ()))]
    if split in {recording.subset for recording in recordings if recording.subset}:
        return [recording for recording in recordings if recording.subset == split]
    if split == "all":
        return list(recordings)
    return list(split_recordings(recordings, split, folder).test)


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.evaluate`."""
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="CKPT", help="checkpoint folder")
    parser.add_argument("--data", required=True, metavar="[NAME=]DIR", help="icbhi=DIR (default) or sprsound=DIR")
    parser.add_argument(
        "--split",
        default="validation",
        help="validation (patients that the run held back), unseen (all that it did not train on), all, a part of"
        " SPRSound such as intra, or the test side of official, fold-K, kfold-K-of-N (default: %(default)s)",
    )
    parser.add_argument(
        "--protocol",
        choices=get_args(Protocol),
        default="patientwise",
        help="published: also with the paper's smart padding of test windows, which reads their labels and so leaks"
        " (default: %(default)s)",
    )
    parser.add_argument("--unseen-only", action="store_true", help="leave out patients that the run was trained on")
    parser.add_argument("--compare", type=Path, metavar="CKPT", help="also how far --model is from this checkpoint")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the figures here")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE.npz", help="write every cycle's answer here, for train.compare_answers"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        report = _report(arguments)
    except (TrainError, EdgeError) as error:
        print(f"train.evaluate: {error}", file=sys.stderr)
        return 2
    print(text_from_report(report))
    if arguments.report:
        write_json(arguments.report, report)
    return 0


def _report(arguments: argparse.Namespace) -> dict[str, Any]:
    dataset = arguments.data.partition("=")[0] if "=" in arguments.data else "icbhi"
    folder = folders_from_arguments([arguments.data], [dataset if dataset in READERS else "icbhi"])[dataset]
    checkpoint = load_checkpoint(arguments.model)
    recordings = read_dataset(dataset, folder)
    chosen = select_recordings(recordings, arguments.split, folder, checkpoint, dataset)
    trained_on = _trained_on(checkpoint, dataset)
    if arguments.unseen_only:
        chosen = [recording for recording in chosen if recording.patient not in trained_on]
    load = CycleStore().load
    published = arguments.protocol == "published"
    leaking = evaluate(checkpoint, chosen, load, padding="smart") if published else None
    answers = answer(checkpoint, chosen, load)
    if arguments.answers:
        write_answers(arguments.answers, answers)
    return {
        "model": str(arguments.model),
        "protocol": arguments.protocol,
        "dataset": dataset,
        "extent": extent(dataset, recordings),
        "coverage": coverage(dataset, arguments.split, recordings, chosen, folder),
        "split": arguments.split,
        "recordings": len(chosen),
        "patients_trained_on": len(set(patients(chosen)) & trained_on),
        **figures_of_answers(answers),
        "leaking_figures": leaking,
        **({"comparison": _comparison(answers, arguments, chosen, load)} if arguments.compare else {}),
    }


def _comparison(
    ours: Answers, arguments: argparse.Namespace, recordings: Sequence[Recording], load: LoadCycles
) -> dict[str, Any]:
    """What the report says of `--compare`. Raises CheckpointError, AnswersError."""
    other = load_checkpoint(arguments.compare)
    theirs = answer(other, recordings, load)
    first, second = matched([(str(arguments.model), ours), (str(arguments.compare), theirs)])
    return {
        "model": str(arguments.compare),
        "patients_trained_on": len(set(patients(recordings)) & _trained_on(other, ours.dataset)),
        "figures": figures_of_answers(theirs),
        **compare_answers([first], [second]),
    }


def _trained_on(checkpoint: Checkpoint, dataset: str) -> set[str]:
    return set(checkpoint.training_run.get("patients", {}).get(dataset, {}).get("training", ()))


if __name__ == "__main__":
    raise SystemExit(main())
