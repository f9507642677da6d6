"""A run's epochs as a picture and as TensorBoard events."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from train.curves import best_epoch, curves_picture, draw_curves, main
from train.errors import ConfigError
from train.tensorboard import write_tensorboard

SCORES = (0.4, 0.7, 0.6)


def epoch(number: int, score: float | None) -> dict[str, Any]:
    figures = {"score": score, "sensitivity": 0.3, "specificity": 0.8, "abnormal_auc": None, "cycles": 9, "patients": 2}
    return {
        "epoch": number,
        "loss": 1.5 - 0.1 * number,
        "learning_rate": 1e-3 / (number + 1),
        "selection": score,
        "seconds": 60.0,
        "validation_seconds": 5.0,
        "validation": {"icbhi": figures, "sprsound": figures},
    }


@pytest.fixture
def history() -> list[dict[str, Any]]:
    return [epoch(number, score) for number, score in enumerate(SCORES)]


def write_run(folder: Path, history: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history), encoding="utf-8")
    return folder


def panel(picture: Figure, title: str) -> Axes:
    (found,) = (axes for axes in picture.axes if axes.get_title().startswith(title))
    return found


def points(axes: Axes) -> list[list[tuple[float, float]]]:
    return [[(float(x), float(y)) for x, y in np.asarray(line.get_xydata())] for line in axes.lines]


def test_every_figure_is_drawn_over_its_epoch_and_the_best_is_ringed(history: list[dict[str, Any]]) -> None:
    picture = curves_picture({"": history})
    losses, best = points(panel(picture, "training loss"))
    np.testing.assert_allclose(losses, [(1, 1.5), (2, 1.4), (3, 1.3)])
    assert best == [(2, 1.4)]
    np.testing.assert_allclose(points(panel(picture, "learning rate"))[0], [(1, 1e-3), (2, 5e-4), (3, 1e-3 / 3)])
    for dataset in ("icbhi", "sprsound"):
        score, ring, sensitivity, _, specificity, _ = points(panel(picture, dataset))
        assert [y for _, y in score] == pytest.approx([40, 70, 60])
        assert ring == [(2, 70.0)]
        assert {y for _, y in sensitivity} == {30}
        assert {y for _, y in specificity} == {80}


def test_a_single_epoch_is_counted_in_whole_numbers(history: list[dict[str, Any]]) -> None:
    axes = panel(curves_picture({"": history[:1]}), "training loss")
    assert axes.get_xlim() == (0.5, 1.5)
    assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 1.5] == [1]


def test_an_epoch_without_a_score_is_a_gap(history: list[dict[str, Any]]) -> None:
    history[1]["validation"]["icbhi"] = {**history[1]["validation"]["icbhi"], "score": None}
    score = points(panel(curves_picture({"": history}), "icbhi"))[0]
    assert np.isnan(score[1][1])
    assert not np.isnan([score[0][1], score[2][1]]).any()


def test_of_several_runs_the_scores_are_laid_over_each_other(history: list[dict[str, Any]]) -> None:
    picture = curves_picture({"first": history, "second": history[:2]})
    first, _, second, _ = points(panel(picture, "icbhi"))
    assert (len(first), len(second)) == (3, 2)
    legend = panel(picture, "training loss").get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["first", "second"]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [(SCORES, 1), ((0.5, 0.5), 0), ((None, None), 1)],
    ids=["highest", "first of equals", "last where nothing was measured"],
)
def test_the_best_epoch_is_the_one_that_the_run_kept(scores: tuple[float | None, ...], expected: int) -> None:
    assert best_epoch([epoch(number, score) for number, score in enumerate(scores)]) == expected


def test_the_file_holds_all_panels_and_is_replaced_in_one_step(history: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "new" / "curves.png"
    for epochs in (1, 3):
        draw_curves(history[:epochs], path)
        picture = imread(path)
        assert picture.shape == (432, 4 * 480, 4)
        assert picture.std() > 0.05
    assert [each.name for each in path.parent.iterdir()] == ["curves.png"]


def test_a_run_without_an_epoch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no epoch to draw yet"):
        draw_curves([], tmp_path / "curves.png")


def test_the_command_draws_and_says_which_epoch_was_best(
    history: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write_run(tmp_path / name, history) for name in ("one", "two")]
    assert main([*map(str, runs), "--output", str(tmp_path / "both.png")]) == 0
    said = capsys.readouterr().out.splitlines()
    figures = "Score 70.0, Se 30.0, Sp 80.0 (9 cycles)"
    assert said[0] == f"{runs[0]}: best epoch 2 of 3; loss 1.400; icbhi {figures}; sprsound {figures}"
    assert said[2] == f"curves: {tmp_path / 'both.png'}"
    assert (tmp_path / "both.png").is_file()


@pytest.mark.parametrize(
    ("run", "output", "expected"),
    [
        ("nowhere", "x.png", "is not the folder of a run"),
        ("damaged", "x.png", "has a line that is not JSON"),
        ("empty", "x.png", "has no epoch to draw yet"),
        ("whole", "whole/metrics.jsonl/x.png", "cannot be written"),
    ],
)
def test_a_wrong_command_gets_one_line(
    history: list[dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    run: str,
    output: str,
    expected: str,
) -> None:
    write_run(tmp_path / "whole", history)
    write_run(tmp_path / "empty", [])
    (write_run(tmp_path / "damaged", history) / "metrics.jsonl").write_text('{"epoch": 0', encoding="utf-8")
    assert main([str(tmp_path / run), "--output", str(tmp_path / output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("train.curves: ")
    assert expected in error
    assert error.count("\n") == 1


def events(run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    found = EventAccumulator(str(run / "tensorboard"))
    found.Reload()
    return found


def test_tensorboard_is_told_every_figure_of_every_epoch(history: list[dict[str, Any]], tmp_path: Path) -> None:
    write_tensorboard(tmp_path, history, ended_at_s=1_000_000.0)
    found = events(tmp_path)
    assert [each.value for each in found.Scalars("icbhi/score")] == pytest.approx(SCORES)
    assert [each.value for each in found.Scalars("training/loss")] == pytest.approx([1.5, 1.4, 1.3])
    assert [each.wall_time for each in found.Scalars("training/loss")] == [999_870, 999_935, 1_000_000]
    assert "icbhi/abnormal_auc" not in found.Tags()["scalars"]


def test_tensorboard_shows_each_epoch_once_after_a_kill(history: list[dict[str, Any]], tmp_path: Path) -> None:
    write_tensorboard(tmp_path, history[:2], ended_at_s=1_000_000.0)
    write_tensorboard(tmp_path, history, ended_at_s=1_000_065.0)
    assert [each.step for each in events(tmp_path).Scalars("training/loss")] == [1, 2, 3]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_events_that_a_kill_left_behind_are_superseded(history: list[dict[str, Any]], tmp_path: Path) -> None:
    write_tensorboard(tmp_path, history[:2])
    (first,) = (tmp_path / "tensorboard").iterdir()
    kept = shutil.copy(first, tmp_path / "kept")
    write_tensorboard(tmp_path, history)
    shutil.move(kept, first.with_name("events.out.tfevents.1000000000.killed"))
    assert [each.step for each in events(tmp_path).Scalars("training/loss")] == [1, 2, 3]
