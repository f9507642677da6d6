"""Cross-validation tests every patient once, by a network that never learnt from him."""

import json
from pathlib import Path

import pytest

from train.answer_figures import figures_of_answers
from train.answers import read_answers
from train.compare_answers import main as compare_main
from train.cross_validate import main


@pytest.fixture(scope="module")
def folds(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cross") / "validation"
    assert main(["--recipe", "smoke", "--data", str(icbhi_folder), "--out", str(out), "--folds", "2"]) == 0
    return out


def test_every_cycle_is_answered_once(folds: Path) -> None:
    (report,) = json.loads((folds / "report.json").read_text(encoding="utf-8"))["seeds"]
    assert (report["cycles"], report["patients"], report["extent"]) == (32, 8, "subset")
    assert sum(map(sum, report["confusion"])) == 32


def test_the_figures_have_intervals_and_the_answers_are_kept(folds: Path) -> None:
    (report,) = json.loads((folds / "report.json").read_text(encoding="utf-8"))["seeds"]
    low, high = report["intervals"]["score"]
    assert low <= report["score"] <= high
    answers = read_answers(folds / "seed-0" / "answers-common.npz")
    assert (len(answers.labels), set(answers.patients)) == (32, {str(number) for number in range(101, 109)})
    assert figures_of_answers(answers).items() <= report.items()


def test_no_fold_learnt_from_or_selected_on_the_patients_it_tests(folds: Path) -> None:
    tested: list[str] = []
    for fold in range(2):
        record = json.loads((folds / "seed-0" / f"fold-{fold}" / "common" / "run.json").read_text(encoding="utf-8"))
        sides = record["patients"]["icbhi"]
        assert not set(sides["training"]) & set(sides["test"])
        assert sides["validation"] == []
        tested += sides["test"]
    assert len(tested) == len(set(tested)) == 8


def test_one_fold_is_refused(icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--recipe", "smoke", "--data", str(icbhi_folder), "--out", str(tmp_path / "out"), "--folds", "1"]
    assert main(arguments) == 2
    assert "give 2 or more" in capsys.readouterr().err


def test_stage_2_answers_for_its_own_stethoscope_and_seeds_are_summarised(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--folds", "2", "--seeds", "2", "--fine-tune", "--set", "fine_tuning.epochs=1"]
    arguments = ["--recipe", "smoke", "--data", str(icbhi_folder), "--out", str(tmp_path / "out"), *few]
    assert main(arguments) == 0
    reports = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["seeds"]
    assert [report["seed"] for report in reports] == [0, 1]
    for report in reports:
        assert sum(map(sum, report["fine_tuned"]["confusion"])) == 32
        assert set(report["fine_tuned"]["devices"]) == {"Litt3200", "Meditron"}
    # Stage 2 against stage 1, over both seeds.
    assert compare_main([str(tmp_path / "out"), str(tmp_path / "out"), "--stage", "fine_tuned,common"]) == 0
    assert {path.name for path in (tmp_path / "out" / "seed-1" / "fold-0").iterdir()} == {
        "common",
        "Litt3200",
        "Meditron",
    }
    shown = capsys.readouterr().out
    assert "mean ± sd of 2 seeds" in shown
    assert "fine_tuned, Litt3200" in shown
