"""Two models on the same cycles: `python -m train.compare_answers A B`.

Each is a file of answers, which `train.evaluate --answers` writes, or the folder of a cross-validation, of whose seeds
the mean figures are compared. Shown are the figures of A less those of B with 95 % intervals over patients.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from train.answers import Answers, matched, read_answers
from train.bootstrap import FIGURES, RESAMPLES, SEED, Difference, differences, patient_counts
from train.errors import AnswersError, TrainError
from train.run_folder import write_json

TITLES: Final = ("Score", "Se", "Sp", "AUC")
"""Of `FIGURES`, on a terminal."""


def answers_file(stage: str) -> str:
    """Its name in the folder of each seed of a cross-validation."""
    return f"answers-{stage}.npz"


def compare_answers(ours: Sequence[Answers], theirs: Sequence[Answers]) -> dict[str, Any]:
    """Differences of each figure over all cycles and per device, as plain JSON values.

    All are of the same cycles in the same order, as `matched` makes them; several of one side are its seeds.
    """
    devices = ours[0].devices
    return {
        "resamples": RESAMPLES,
        **difference_row(ours, theirs, np.ones(len(devices), dtype=bool)),
        "devices": {device: difference_row(ours, theirs, devices == device) for device in np.unique(devices).tolist()},
    }


def difference_row(ours: Sequence[Answers], theirs: Sequence[Answers], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Those over the `chosen` cycles, bool [cycles]; otherwise as `compare_answers`."""
    first = ours[0].at(chosen)
    sides = [
        [patient_counts(first.labels, each.probabilities[chosen], first.patients) for each in side]
        for side in (ours, theirs)
    ]
    found = differences(sides[0], sides[1], np.random.default_rng(SEED))
    return {
        "cycles": len(first.labels),
        "patients": len(np.unique(first.patients)),
        "differences": {name: _plain(difference) for name, difference in found.items()},
    }


def text_from_differences(comparison: Mapping[str, Any]) -> str:
    """A row for all cycles and one for each device: points, 95 % interval and p-value of each figure."""
    lines = [f"{'difference':12}" + "".join(f"{title:>36}" for title in TITLES) + f"{'cycles':>8}{'patients':>10}"]
    for name, row in {"all": comparison, **comparison["devices"]}.items():
        cells = "".join(f"{difference_text(row['differences'][figure]):>36}" for figure in FIGURES)
        lines.append(f"{name:12}{cells}{row['cycles']:8}{row['patients']:10}")
    return "\n".join(lines)


def difference_text(found: Mapping[str, Any]) -> str:
    """One figure's difference in points, with its interval and p-value as far as there are any."""
    if found["difference"] is None:
        return "-"
    text = f"{100 * found['difference']:+.2f}"
    if found["interval"] is None:
        return text
    low, high = found["interval"]
    return f"{text} ({100 * low:+.2f} to {100 * high:+.2f}), p {found['p_value']:.3f}"


def read_side(path: Path, stage: str) -> list[tuple[str, Answers]]:
    """One file, or those of all seeds of a cross-validation, each with its name. Raises AnswersError."""
    if not path.is_dir():
        return [(str(path), read_answers(path))]
    files = sorted(path.glob(f"seed-*/{answers_file(stage)}"))
    if not files:
        raise AnswersError(
            f"{path} holds no seed-*/{answers_file(stage)}; give a file of answers, or the --out of a "
            "train.cross_validate that wrote them: the same command again writes what is missing"
        )
    return [(str(file), read_answers(file)) for file in files]


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.compare_answers`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.compare_answers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ours", type=Path, metavar="A", help="file of answers, or folder of a cross-validation")
    parser.add_argument("theirs", type=Path, metavar="B", help="the same of the model it is compared with")
    parser.add_argument(
        "--stage",
        default="common",
        metavar="NAME[,NAME]",
        help="of cross-validations: common or fine_tuned; two names, A's and B's (default: %(default)s)",
    )
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write the differences here")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 an error that one line on stderr explains."""
    arguments = build_parser().parse_args(argv)
    try:
        report = _report(arguments.ours, arguments.theirs, arguments.stage)
        if arguments.report:
            write_json(arguments.report, report)
    except TrainError as error:
        print(f"train.compare_answers: {error}", file=sys.stderr)
        return 2
    print(f"{report['ours']} less {report['theirs']} ({report['dataset']})", text_from_differences(report), sep="\n")
    return 0


def _report(our_path: Path, their_path: Path, stages: str) -> dict[str, Any]:
    our_stage, _, their_stage = stages.partition(",")
    ours, theirs = read_side(our_path, our_stage), read_side(their_path, their_stage or our_stage)
    in_order = matched([*ours, *theirs])
    return {
        "ours": str(our_path),
        "theirs": str(their_path),
        "seeds": [len(ours), len(theirs)],
        "dataset": in_order[0].dataset,
        **compare_answers(in_order[: len(ours)], in_order[len(ours) :]),
    }


def _plain(difference: Difference) -> dict[str, Any]:
    return {
        "difference": _rounded(difference.value),
        "interval": None if difference.interval is None else [_rounded(end) for end in difference.interval],
        "p_value": _rounded(difference.p_value),
    }


def _rounded(value: float | None) -> float | None:
    # 0.0 is added because a difference of -0.0 is none.
    return None if value is None else round(value, 4) + 0.0


if __name__ == "__main__":
    raise SystemExit(main())
