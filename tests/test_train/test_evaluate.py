"""The evaluation command and its report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.answer_figures import figures_of_answers
from train.answers import read_answers
from train.cycles import Cycle
from train.evaluate import figures, main
from train.run import main as train_main


@pytest.fixture(scope="module")
def checkpoint(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "smoke"
    assert train_main(["--recipe", "smoke", "--data", str(icbhi_folder), "--out", str(out)]) == 0
    return out / "best"


@pytest.fixture(scope="module")
def other_checkpoint(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "other"
    assert train_main(["--recipe", "smoke", "--data", str(icbhi_folder), "--out", str(out), "--seed", "7"]) == 0
    return out / "best"


def report(checkpoint: Path, folder: object, tmp_path: Path, *more: str) -> dict[str, Any]:
    path = tmp_path / "report.json"
    assert main(["--model", str(checkpoint), "--data", str(folder), "--report", str(path), *more]) == 0
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_validation_repeats_what_the_run_measured(checkpoint: Path, icbhi_folder: Path, tmp_path: Path) -> None:
    found = report(checkpoint, icbhi_folder, tmp_path)
    measured = json.loads((checkpoint / "checkpoint.json").read_text())["metrics"]["validation"]["icbhi"]
    for row in found["devices"].values():
        del row["intervals"]
    assert {name: found[name] for name in measured} == measured


def test_a_part_of_the_database_is_called_a_subset(
    checkpoint: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(checkpoint, icbhi_folder, tmp_path, "--split", "official")
    assert found["extent"] == "subset"
    assert (found["recordings"], found["cycles"], found["patients"]) == (3, 12, 3)
    assert "icbhi (subset), split official" in capsys.readouterr().out


def test_patients_that_were_trained_on_are_counted_and_can_be_left_out(
    checkpoint: Path, icbhi_folder: Path, tmp_path: Path
) -> None:
    everyone = report(checkpoint, icbhi_folder, tmp_path, "--split", "all")
    unseen = report(checkpoint, icbhi_folder, tmp_path, "--split", "all", "--unseen-only")
    assert (everyone["patients"], everyone["patients_trained_on"]) == (8, 4)
    assert (unseen["patients"], unseen["patients_trained_on"]) == (4, 0)
    assert unseen["confusion"] == report(checkpoint, icbhi_folder, tmp_path, "--split", "unseen")["confusion"]


def test_another_dataset_can_be_measured(checkpoint: Path, sprsound_folder: Path, tmp_path: Path) -> None:
    found = report(checkpoint, f"sprsound={sprsound_folder}", tmp_path, "--split", "intra")
    assert (found["dataset"], found["extent"], found["cycles"]) == ("sprsound", "as given", 4)


def test_the_same_command_gives_the_same_report(checkpoint: Path, icbhi_folder: Path, tmp_path: Path) -> None:
    first, second = (report(checkpoint, icbhi_folder, tmp_path, "--split", "all") for _ in range(2))
    assert first == second


def test_every_table_has_intervals_or_says_that_patients_are_too_few(
    checkpoint: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(checkpoint, icbhi_folder, tmp_path, "--split", "all")
    assert found["intervals"]["resamples"] == 2000
    for figure in ("score", "sensitivity", "specificity", "abnormal_auc"):
        low, high = found["intervals"][figure]
        assert low <= found[figure] <= high
        assert found["devices"]["Meditron"]["intervals"][figure] is None, "four patients are too few"
    assert "95 % over patients" in capsys.readouterr().out


def test_a_checkpoint_compared_with_itself_does_not_differ(
    checkpoint: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(checkpoint, icbhi_folder, tmp_path, "--split", "all", "--compare", str(checkpoint))["comparison"]
    assert (found["model"], found["patients_trained_on"], set(found["devices"])) == (
        str(checkpoint),
        4,
        {"Litt3200", "Meditron"},
    )
    for difference in found["differences"].values():
        assert difference == {"difference": 0.0, "interval": [0.0, 0.0], "p_value": 1.0}
    assert "+0.00 (+0.00 to +0.00), p 1.000" in capsys.readouterr().out


def test_a_compared_checkpoint_is_measured_on_the_same_cycles(
    checkpoint: Path, other_checkpoint: Path, icbhi_folder: Path, tmp_path: Path
) -> None:
    ours, theirs = (report(each, icbhi_folder, tmp_path, "--split", "all") for each in (checkpoint, other_checkpoint))
    found = report(checkpoint, icbhi_folder, tmp_path, "--split", "all", "--compare", str(other_checkpoint))
    assert found["comparison"]["figures"]["confusion"] == theirs["confusion"]
    difference = found["comparison"]["differences"]["score"]
    assert difference["difference"] == pytest.approx(ours["score"] - theirs["score"], abs=1e-4)
    assert difference["interval"][0] <= difference["difference"] <= difference["interval"][1]


def test_saved_answers_give_the_figures_again(checkpoint: Path, icbhi_folder: Path, tmp_path: Path) -> None:
    found = report(checkpoint, icbhi_folder, tmp_path, "--split", "all", "--answers", str(tmp_path / "answers.npz"))
    answers = read_answers(tmp_path / "answers.npz")
    assert figures_of_answers(answers).items() <= found.items()
    assert answers.index.tolist() == [0, 1, 2, 3] * 8


@pytest.mark.parametrize(
    ("data", "more", "expected"),
    [
        ("physionet=somewhere", [], "give --data icbhi=DIR"),
        ("nowhere", [], "nowhere is not a folder"),
        (None, ["--split", "half"], "unknown split 'half'"),
        (None, ["--model", "nowhere"], "is not a checkpoint folder"),
        (None, ["--compare", "nowhere"], "is not a checkpoint folder"),
        (None, ["--answers", "nowhere/answers.npz"], "nowhere/answers.npz cannot be written"),
    ],
)
def test_a_wrong_command_gets_one_line(
    checkpoint: Path,
    icbhi_folder: Path,
    capsys: pytest.CaptureFixture[str],
    data: str | None,
    more: list[str],
    expected: str,
) -> None:
    assert main(["--model", str(checkpoint), "--data", data or str(icbhi_folder), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith("train.evaluate: ")
    assert expected in error
    assert error.count("\n") == 1


def test_figures_are_split_by_device_and_null_where_nothing_can_be_said(make_cycle: Callable[..., Cycle]) -> None:
    cycles = [
        make_cycle(label=0, device="Meditron", patient="1"),
        make_cycle(label=1, device="Meditron", patient="2"),
        make_cycle(label=2, device="Litt3200", patient="3"),
    ]
    probabilities = np.eye(4)[[0, 0, 2]]
    found = figures(cycles, probabilities)
    assert (found["specificity"], found["sensitivity"], found["score"]) == (1.0, 0.5, 0.75)
    assert found["devices"]["Litt3200"]["specificity"] is None
    assert found["devices"]["Litt3200"]["score"] is None
    assert found["devices"]["Meditron"]["patients"] == 2
