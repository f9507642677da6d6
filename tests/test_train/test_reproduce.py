"""One command trains what a table lacks and shows it."""

from pathlib import Path

import pytest

from train.reproduce import build_parser, main, planned_runs

TINY = ("--set", "fine_tuning.epochs=1", "--set", "fine_tuning.samples_per_epoch=8", "--seeds", "1")


def arguments(what: str, folder: Path, out: Path, *more: str) -> list[str]:
    return [what, "--recipe", "smoke", "--data", str(folder), "--out", str(out), *TINY, *more]


def test_table_3_is_trained_once_and_shown(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments("table-3", icbhi_folder, tmp_path / "runs")) == 0
    shown = capsys.readouterr().out
    assert "Litt3200" in shown
    assert "subset" in shown
    states = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("state.pt")}
    assert len(states) == 3
    assert main(arguments("table-3", icbhi_folder, tmp_path / "runs")) == 0
    assert {path: path.stat().st_mtime_ns for path in states} == states
    assert shown.endswith(capsys.readouterr().out)


def test_seeds_count_from_the_one_given(icbhi_folder: Path, tmp_path: Path) -> None:
    asked = build_parser().parse_args(arguments("table-2", icbhi_folder, tmp_path, "--seed", "5", "--seeds", "2"))
    runs = planned_runs(asked)
    assert {run.config.seed for run in runs} == {5, 6}
    assert len(runs) == 18


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--seeds", "0"], "--seeds 0: give 1 or more"),
        (["--split", "official"], "the table or figure decides them"),
        (["--task", "two_class"], "the table or figure decides them"),
    ],
)
def test_a_wrong_command_gets_one_line(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], expected: str
) -> None:
    assert main(arguments("table-1", icbhi_folder, tmp_path / "runs", *more)) == 2
    assert expected in capsys.readouterr().err
