"""The figures of the paper from an ICBHI folder and from runs that training really made, by their command."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from train.checkpoint import Checkpoint, save_checkpoint
from train.config import Config
from train.cycles import CycleStore
from train.figures.__main__ import main
from train.figures.comparison import compare, seen_windows
from train.figures.figure_6 import figure_6
from train.network import RespireNetwork
from train.plan import clipped, on_split
from train.recipes import fine_tuning, smoke
from train.run_folder import open_run_folder, write_json
from train.tables.__main__ import main as print_tables
from train.tables.run_results import find_runs
from train.training import train

TEST_RECORDING = "105_1b1_Al_sc_Litt3200"
"""All that fold-4 tests on in the made-up database."""


@pytest.fixture(scope="module")
def runs(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`before` without clipping and `after` with it, on the paper's 80/20 split."""
    out, store, recipe = tmp_path_factory.mktemp("figures"), CycleStore(), on_split(smoke(), "fold-4")
    train(clipped(recipe, 0), {"icbhi": icbhi_folder}, out / "before", load=store.load)
    train(recipe, {"icbhi": icbhi_folder}, out / "after", load=store.load)
    return out


def untrained(folder: Path, config: Config) -> Path:
    """A run folder as training leaves it, with the weights that it began from."""
    network = RespireNetwork(config.network)
    checkpoint = Checkpoint(config.network, config.spec, (0.0,), (1.0,), network.state_dict(), {"epoch": 0}, {})
    open_run_folder(folder, config, {"icbhi": folder}, None)
    save_checkpoint(folder / "best", checkpoint)
    return folder


def draw(figure: str, picture: Path, *more: object) -> None:
    assert main([figure, *map(str, more), "--output", str(picture)]) == 0
    assert imread(picture)[..., :3].std() > 0.1


def compared(runs: Path, data: Path) -> tuple[object, ...]:
    return "--before", runs / "before", "--after", runs / "after", "--data", data


def test_figure_3_shows_one_cycle_before_and_after(
    runs: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("3", tmp_path / "3.png", *compared(runs, icbhi_folder), "--cycle", f"{TEST_RECORDING}:2")
    said = capsys.readouterr().out
    assert f"cycle 2 of {TEST_RECORDING} (Litt3200), annotated wheeze" in said
    assert "icbhi (subset), test side of fold-4, 1 patients" in said
    assert "Chosen to show" not in said


def test_figure_3_chooses_a_cycle_of_the_test_side_and_says_how(
    runs: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("3", tmp_path / "3.png", *compared(runs, icbhi_folder))
    said = capsys.readouterr().out
    assert TEST_RECORDING in said
    assert "Chosen to show the effect" in said


def test_figure_5_averages_over_the_test_side(
    runs: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("5", tmp_path / "5.png", *compared(runs, icbhi_folder), "--classes", "true")
    said = capsys.readouterr().out
    assert "icbhi (subset), test side of fold-4, 1 patients; cycles: 4; class: the annotated class" in said
    assert "lower half of the image (paper)" in said
    assert "above 1500 Hz" in said
    assert "averages over 1370 cycles" in said


def test_the_networks_see_the_images_that_they_were_trained_on(runs: Path, icbhi_folder: Path) -> None:
    comparison = compare(runs / "before", runs / "after", icbhi_folder)
    before, after = (
        list(seen_windows(comparison.recordings, run.spec, "four_class"))
        for run in (comparison.before, comparison.after)
    )
    assert [window.cycle.label for window in before] == [window.cycle.label for window in after] == [0, 1, 2, 3]
    assert {window.cut_rows for window in before} == {0}
    assert all(window.cut_rows > 0 for window in after)
    assert not np.array_equal(before[0].image, after[0].image)


def test_a_split_without_a_test_side_is_compared_on_validation_patients(icbhi_folder: Path, tmp_path: Path) -> None:
    before, after = untrained(tmp_path / "before", clipped(smoke(), 0)), untrained(tmp_path / "after", smoke())
    comparison = compare(before, after, icbhi_folder)
    assert comparison.place == "icbhi (subset), validation patients, 4 patients"


def test_figure_4_is_drawn_from_annotations(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("4", tmp_path / "4.png", "--data", icbhi_folder)
    printed = capsys.readouterr().out
    assert print_tables(["figure-4", "--data", str(icbhi_folder)]) == 0
    assert printed.startswith(capsys.readouterr().out)
    assert "subset" in printed
    assert "cycles: 32" in printed


def finished_run(folder: Path, config: Config, init: Path | None, counts: list[list[int]]) -> Path:
    """A run folder with the figures of a finished run that was tested on one stethoscope."""
    open_run_folder(folder, config, {"icbhi": folder}, init)
    figures = {"confusion": counts, "devices": {"Litt3200": {"confusion": counts}}}
    test = {
        "protocol": config.protocol,
        "extent": "subset",
        "dataset": "icbhi",
        "split": "fold-4",
        "checkpoint": "best",
    }
    write_json(folder / "test.json", {**test, "seed": 0, "figures": figures, "leaking_figures": None})
    return folder


def test_figure_6_shows_the_counts_that_the_tables_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = on_split(smoke(), "fold-4")
    before = [[6, 4, 0, 0], [1, 2, 1, 0], [2, 0, 0, 0], [0, 0, 0, 0]]
    after = [[8, 2, 0, 0], [0, 4, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
    common = finished_run(tmp_path / "common", recipe, None, before)
    finished_run(tmp_path / "Litt3200", fine_tuning(recipe, "Litt3200"), common / "best", after)
    draw("6", tmp_path / "6.png", "--runs", tmp_path)
    printed = capsys.readouterr().out
    assert print_tables(["figure-6", "--runs", str(tmp_path)]) == 0
    assert printed.startswith(capsys.readouterr().out)
    picture, _ = figure_6(find_runs([tmp_path]))
    for axes, counts in zip(picture.axes, (before, after), strict=False):
        assert [text.get_text().split("\n")[1] for text in axes.texts] == [str(each) for row in counts for each in row]
    first, second, _ = (axes.get_title() for axes in picture.axes)
    assert "subset, 16 cycles" in first
    assert "Score 46.7, Se 33.3, Sp 60.0" in first
    assert "Score 90.0, Se 100.0, Sp 80.0" in second
    assert [picture.axes[0].texts[at].get_text() for at in (0, 15)] == ["60.0 %\n6", "–\n0"]


def test_a_wrong_command_gets_one_line(
    runs: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = runs / "before", runs / "after"
    elsewhere = untrained(tmp_path / "elsewhere", smoke())
    short = replace(smoke().spec, window_s=5.0, blank_grey_level=0)
    shorter = untrained(tmp_path / "shorter", on_split(replace(smoke(), spec=short), "fold-4"))
    wrong = {
        "takes a run without blank region clipping": ["3", "--before", after, "--after", after, "--data", icbhi_folder],
        "is not a run folder": ["5", "--before", tmp_path, "--after", after, "--data", icbhi_folder],
        "give two runs on the same split": ["5", "--before", before, "--after", elsewhere, "--data", icbhi_folder],
        "differ in more than clipping": ["5", "--before", shorter, "--after", after, "--data", icbhi_folder],
        "is not a folder": ["5", "--before", before, "--after", after, "--data", tmp_path / "nowhere"],
        "is not among the cycles": ["3", *compared(runs, icbhi_folder), "--cycle", f"{TEST_RECORDING}:4"],
        "is not an ICBHI folder": ["4", "--data", runs],
        "no finished run with both stages": ["6", "--runs", before],
    }
    for expected, arguments in wrong.items():
        assert main([*map(str, arguments), "--output", str(tmp_path / "x.png")]) == 2, expected
        error = capsys.readouterr().err
        assert error.startswith("train.figures: ")
        assert expected in error
        assert error.count("\n") == 1
    assert not (tmp_path / "x.png").exists()
    with pytest.raises(SystemExit):
        main(["3", *map(str, compared(runs, icbhi_folder)), "--cycle", "first", "--output", "x.png"])
    assert "'first' is not RECORDING:INDEX" in capsys.readouterr().err
