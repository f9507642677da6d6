"""Tables 1, 2, 3 and 6 and figure 6 from made-up run folders whose figures are worked out by hand."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train import paper
from train.config import Config
from train.errors import CheckpointError, ConfigError
from train.plan import METHODS, on_split
from train.recipes import fine_tuning, for_task, recipe_named
from train.tables.__main__ import main
from train.tables.ablation import ablation
from train.tables.annotations import fold_of_patient, read_annotation_set
from train.tables.attainable import attainable, table_6_notes
from train.tables.figure_6 import confusions
from train.tables.folds import folds
from train.tables.method import method_of
from train.tables.run_results import find_runs
from train.tables.score_rows import LEAKING
from train.tables.spread import Spread, spread
from train.tables.table import Table, Value
from train.tables.table_1 import table_1
from train.tables.table_2 import table_2
from train.tables.table_3 import table_3
from train.tables.table_6 import table_6
from train.training import train

Matrix = list[list[int]]

MEDITRON = [[8, 2, 0, 0], [1, 2, 1, 0], [1, 0, 1, 0], [0, 2, 0, 0]]
"""10 normal cycles, 8 recognised; 8 abnormal, 3 recognised."""
MEDITRON_BETTER = [[10, 0, 0, 0], *MEDITRON[1:]]
LITT3200 = [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
"""2 normal cycles, 1 recognised; 2 abnormal, 1 recognised."""
LITT3200_TUNED = [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
ALL_WRONG = [[0, 10, 0, 0], [4, 0, 0, 0], [2, 0, 0, 0], [2, 0, 0, 0]]

COMMON = {"Meditron": MEDITRON, "Litt3200": LITT3200}
"""Sp 9/12, Se 4/10: Score 57.5."""
COMMON_BETTER = {"Meditron": MEDITRON_BETTER, "Litt3200": LITT3200}
"""Sp 11/12, Se 4/10: Score 65.83."""


def config(method: str = "cnn", split: str = "fold-4", **fields: Any) -> Config:
    return dataclasses.replace(on_split(METHODS[method](recipe_named("compact_half")), split), **fields)


def trained_on(device: str) -> Config:
    base = config()
    return dataclasses.replace(base, datasets=(dataclasses.replace(base.datasets[0], device=device),))


def figures(devices: Mapping[str, Matrix]) -> dict[str, Any]:
    everything = np.sum(list(devices.values()), axis=0).tolist()
    return {"confusion": everything, "devices": {device: {"confusion": counts} for device, counts in devices.items()}}


def write_run(
    folder: Path,
    asked: Config,
    devices: Mapping[str, Matrix] | None,
    leaking: Mapping[str, Matrix] | None = None,
    init: Path | None = None,
    extent: str = "subset",
) -> Path:
    """A run folder; without figures for `devices`, an unfinished one."""
    folder.mkdir(parents=True)
    content = {"config": asked.to_dict(), "data": {"icbhi": "/icbhi"}, "init": str(init) if init else None}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    if devices is not None:
        test = {
            "protocol": asked.protocol, "extent": extent, "dataset": "icbhi", "split": asked.datasets[0].split,
            "checkpoint": "best", "epoch": 3, "seed": asked.seed,
            "figures": figures(devices), "leaking_figures": figures(leaking) if leaking else None,
        }  # fmt: skip
        (folder / "test.json").write_text(json.dumps(test), encoding="utf-8")
    return folder


def cells(table: Table, row: int) -> dict[str, Value]:
    return dict(zip([column.name for column in table.columns], table.rows[row], strict=True))


def rows_of(table: Table, first: Value) -> list[dict[str, Value]]:
    return [cells(table, row) for row, values in enumerate(table.rows) if values[0] == first]


def near(value: Value, mean: float, sd: float | None = None) -> bool:
    """Whether a value is that spread, to within a thousandth."""
    same_sd = isinstance(value, Spread) and value.sd == (sd if sd is None else pytest.approx(sd, abs=1e-3))
    return isinstance(value, Spread) and value.mean == pytest.approx(mean, abs=1e-3) and same_sd


def two_seeds(runs: Path, method: str = "cnn") -> None:
    write_run(runs / method / "seed-0" / "common", config(method, seed=0), COMMON)
    write_run(runs / method / "seed-1" / "common", config(method, seed=1), COMMON_BETTER)


def block(runs: Path, split: str = "80/20", task: str = "four class") -> Table:
    tables = table_1(find_runs([runs]))
    return next(table for table in tables if split in table.title and task in table.title)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("cnn", "CNN"),
        ("cba", "CNN+CBA"),
        ("brc", "CNN+BRC"),
        ("cba_brc", "CNN+CBA+BRC"),
        ("plain", "CNN without augmentation"),
        ("zero_padding", "CNN, zero padding"),
    ],
)
def test_a_method_is_recognised_by_what_its_configuration_switches_on(name: str, method: str) -> None:
    assert method_of(config(name).to_dict()) == method


def test_a_spread_is_the_mean_and_the_deviation_of_the_sample() -> None:
    assert near(spread([1.0, 2.0, 6.0, None]), 3.0, 7**0.5)
    assert spread([4.0]) == Spread(4.0, None)
    assert spread([None]) is None


def test_seeds_are_averaged_beside_the_papers_row(tmp_path: Path) -> None:
    two_seeds(tmp_path)
    table = block(tmp_path)
    (row,) = rows_of(table, "CNN")
    assert row["Score, paper"] == 66.2
    assert near(row["Score"], (57.5 + 65.8333) / 2, 5.8926)
    assert near(row["Sp"], 100 * 10 / 12, 11.785)
    assert near(row["Se"], 40, 0)
    assert (row["seeds"], row["cycles"], row["extent"], row["protocol"]) == (2, 22, "subset", "patient-wise")
    assert table.notes[0].startswith("A: compact_half (ResNet-34, width 0.5, compact features, from scratch; icbhi")


def test_missing_rows_keep_the_papers_figures_and_name_the_command(tmp_path: Path) -> None:
    two_seeds(tmp_path)
    table = block(tmp_path)
    (row,) = rows_of(table, "CNN+CBA+BRC+FT")
    assert (row["Sp, paper"], row["Sp"], row["Score, paper"], row["Score"]) == (83.3, None, 68.5, None)
    assert any("CNN+CBA+BRC; CNN+CBA+BRC+FT: python -m train.reproduce table-1" in note for note in table.notes)
    assert all(row["Score"] is None for row in rows_of(block(tmp_path, "60/40"), "CNN"))


def test_runs_that_differ_in_one_field_are_never_averaged(tmp_path: Path) -> None:
    write_run(tmp_path / "a", config(seed=0), COMMON)
    write_run(tmp_path / "b", config(seed=1, batch_size=32), COMMON_BETTER)
    write_run(tmp_path / "c", config(seed=1), COMMON_BETTER, extent="full")
    table = block(tmp_path)
    rows = rows_of(table, "CNN")
    assert [row["seeds"] for row in rows] == [1, 1, 1]
    assert [row["setting"] for row in rows] == ["A", "B", "A"]
    assert [row["extent"] for row in rows] == ["subset", "subset", "full"]
    assert table.notes[0].endswith("batch_size=64")
    assert table.notes[1].endswith("batch_size=32")


def test_runs_tested_on_other_cycles_are_never_averaged(tmp_path: Path) -> None:
    write_run(tmp_path / "a", config(seed=0), COMMON)
    write_run(tmp_path / "b", config(seed=1), {"Meditron": MEDITRON})
    assert [row["cycles"] for row in rows_of(block(tmp_path), "CNN")] == [22, 18]


def test_a_seed_found_twice_counts_once(tmp_path: Path) -> None:
    write_run(tmp_path / "a", config(), COMMON)
    write_run(tmp_path / "b", config(), COMMON)
    (row,) = rows_of(block(tmp_path), "CNN")
    assert row["seeds"] == 1


def stage_2(runs: Path, seed: int, counts: Matrix | None) -> None:
    """A common model and its stage 2 for Litt3200, whose answers for the other stethoscope are all wrong."""
    first = config("cba_brc", seed=seed)
    common = write_run(runs / f"seed-{seed}" / "common", first, COMMON)
    devices = {"Meditron": ALL_WRONG, "Litt3200": counts} if counts else None
    write_run(runs / f"seed-{seed}" / "Litt3200", fine_tuning(first, "Litt3200"), devices, init=common / "best")


def test_fine_tuned_networks_answer_for_their_own_stethoscope_and_the_common_one_for_the_rest(tmp_path: Path) -> None:
    stage_2(tmp_path, 0, LITT3200_TUNED)
    table = block(tmp_path)
    (row,) = rows_of(table, "CNN+CBA+BRC+FT")
    assert near(row["Sp"], 100 * 10 / 12)
    assert near(row["Se"], 100 * 5 / 10)
    assert row["cycles"] == 22
    (common,) = rows_of(table, "CNN+CBA+BRC")
    assert near(common["Score"], 57.5)
    assert any("then Litt3200 each for itself" in note and "common model for Meditron" in note for note in table.notes)


def test_run_folders_that_were_moved_together_still_belong_together(tmp_path: Path) -> None:
    stage_2(tmp_path / "made", 0, LITT3200_TUNED)
    (tmp_path / "made").rename(tmp_path / "moved")
    (row,) = rows_of(block(tmp_path / "moved"), "CNN+CBA+BRC+FT")
    assert near(row["Se"], 50)


def test_a_stage_2_that_is_still_running_gives_no_row_yet(tmp_path: Path) -> None:
    stage_2(tmp_path, 0, LITT3200_TUNED)
    first = config("cba_brc", seed=0)
    init = tmp_path / "seed-0" / "common" / "best"
    write_run(tmp_path / "seed-0" / "Meditron", fine_tuning(first, "Meditron"), None, init=init)
    (row,) = rows_of(block(tmp_path), "CNN+CBA+BRC+FT")
    assert row["Score"] is None


def test_a_stage_2_tested_on_other_cycles_is_refused(tmp_path: Path) -> None:
    stage_2(tmp_path, 0, [[3, 0, 0, 0], *LITT3200_TUNED[1:]])
    with pytest.raises(ConfigError, match=r"Litt3200 was tested on other cycles of Litt3200 than its stage 1"):
        table_1(find_runs([tmp_path]))


def test_the_published_protocol_has_its_own_rows_with_the_share_of_the_label(tmp_path: Path) -> None:
    published = config(protocol="published")
    write_run(tmp_path / "a", published, COMMON, leaking=COMMON_BETTER)
    write_run(tmp_path / "b", config(), COMMON)
    rows = {row["protocol"]: row for row in rows_of(block(tmp_path), "CNN")}
    assert set(rows) == {"patient-wise", "best on test", LEAKING}
    assert near(rows[LEAKING]["Score"], 65.8333)
    assert near(rows[LEAKING]["share of the label"], 8.3333)
    assert rows["best on test"]["share of the label"] is None


def test_two_classes_are_a_block_of_their_own(tmp_path: Path) -> None:
    write_run(tmp_path / "a", for_task(config(), "two_class"), {"Meditron": [[8, 2], [3, 1]]})
    (row,) = rows_of(block(tmp_path, task="two class"), "CNN")
    assert row["Score, paper"] == 71.9
    assert near(row["Score"], (80 + 25) / 2)
    assert rows_of(block(tmp_path), "CNN")[0]["Score"] is None


def test_table_2_goes_by_the_length_of_the_window(tmp_path: Path) -> None:
    base = config()
    for window_s, devices in ((7.0, COMMON), (4.0, COMMON_BETTER)):
        asked = dataclasses.replace(base, spec=dataclasses.replace(base.spec, window_s=window_s))
        write_run(tmp_path / f"{window_s}", asked, devices)
    write_run(tmp_path / "other method", config("cba_brc"), COMMON_BETTER)
    table = table_2(find_runs([tmp_path]))
    assert [row[0] for row in table.rows] == list(range(1, 10))
    assert near(cells(table, 6)["Score"], 57.5)
    assert near(cells(table, 3)["Score"], 65.8333)
    assert cells(table, 3)["Score, paper"] == 61.1
    assert cells(table, 0)["Score"] is None
    assert any(note.startswith("No finished runs of 1 s; 2 s; 3 s; 5 s") for note in table.notes)
    assert near(rows_of(block(tmp_path), "CNN")[0]["Score"], 57.5)


def test_table_3_is_the_gain_of_each_stethoscope(tmp_path: Path) -> None:
    stage_2(tmp_path, 0, LITT3200_TUNED)
    stage_2(tmp_path, 1, LITT3200)
    table = table_3(find_runs([tmp_path]))
    (row,) = rows_of(table, "Litt3200")
    assert row["gain, paper"] == 9.3
    assert near(row["gain"], 25, 35.3553)
    assert near(row["Score, common"], 50, 0)
    assert (row["seeds"], row["cycles"]) == (2, 4)
    (served_by_common,) = rows_of(table, "Meditron")
    assert (served_by_common["gain"], served_by_common["seeds"], served_by_common["cycles"]) == (None, 0, 18)


def test_table_3_knows_the_shares_of_samples(tmp_path: Path, shared_data: Path) -> None:
    stage_2(tmp_path, 0, LITT3200_TUNED)
    table = table_3(find_runs([tmp_path]), read_annotation_set(shared_data / "icbhi"))
    (row,) = rows_of(table, "Litt3200")
    assert row["samples, paper"] == 9
    assert row["samples"] == pytest.approx(100 * 502 / 6898)
    assert any("shares of Litt3200 and LittC2SE in each other's row" in note for note in table.notes)


def test_the_ablation_sets_each_technique_beside_the_papers_score_or_gain(tmp_path: Path) -> None:
    for method in ("cnn", "brc", "zero_padding", "plain"):
        write_run(tmp_path / method, config(method), COMMON_BETTER if method == "brc" else COMMON)
    table = ablation(find_runs([tmp_path]))
    printed = {str(row[0]): cells(table, at)["Score, paper"] for at, row in enumerate(table.rows)}
    assert printed == {
        "CNN without augmentation": 62.2, "CNN": 66.2, "CNN+CBA": 66.8, "CNN+BRC": pytest.approx(66.7),
        "CNN+CBA+BRC": 67.1, "CNN, zero padding": pytest.approx(61.2), "CNN, reflection padding": pytest.approx(64.2),
        "CNN, repetition padding": None,
    }  # fmt: skip
    assert near(rows_of(table, "CNN+BRC")[0]["Score"], 65.8333)
    assert near(rows_of(table, "CNN, zero padding")[0]["Score"], 57.5)
    assert "CNN+CBA; CNN+CBA+BRC; CNN, reflection padding" in table.notes[-1]


def test_folds_are_listed_with_the_papers_figures_beside_its_own_fold_only(tmp_path: Path) -> None:
    for split in ("fold-0", "fold-4", "official"):
        write_run(tmp_path / split, config(split=split), COMMON)
    table = folds(find_runs([tmp_path]))
    assert [row[0] for row in table.rows] == ["fold-0", "fold-4"]
    assert [cells(table, row)["Score, paper"] for row in range(2)] == [None, 66.2]
    assert table.notes[-1].startswith("No finished runs of fold-1; fold-2; fold-3: python -m train.reproduce folds")


def test_table_6_is_what_a_run_on_one_stethoscope_recognises_on_all(tmp_path: Path) -> None:
    write_run(tmp_path / "only", trained_on("AKGC417L"), COMMON)
    write_run(tmp_path / "common", config(), COMMON_BETTER)
    (table,) = table_6(find_runs([tmp_path]))
    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    assert rows["Meditron", "paper"][:4] == (47.3, 69.2, 26.3, 0.0)
    assert rows["Meditron", "measured"] == (
        Spread(80, None), Spread(50, None), Spread(50, None), Spread(0, None),
        Spread(80, None), Spread(37.5, None), Spread(58.75, None), 18,
    )  # fmt: skip
    assert rows["Litt3200", "measured"][3] is None
    assert rows["all", "paper"][4:7] == (50.3, 55.7, 53.0)
    assert near(rows["all", "measured"][6], 57.5)
    assert rows_of(block(tmp_path), "CNN")[0]["seeds"] == 1


def test_table_6_without_runs_shows_the_papers_and_the_command(tmp_path: Path) -> None:
    write_run(tmp_path / "common", config(), COMMON)
    (table,) = table_6(find_runs([tmp_path]))
    assert [row[1] for row in table.rows] == ["paper"] * 5
    assert "python -m train.reproduce table-6" in table.notes[-1]


def test_figure_6_adds_up_the_seeds_before_and_after(tmp_path: Path) -> None:
    stage_2(tmp_path, 0, LITT3200_TUNED)
    stage_2(tmp_path, 1, LITT3200)
    (pair,) = confusions(find_runs([tmp_path]))
    once = np.array(MEDITRON) + np.array(LITT3200)
    np.testing.assert_array_equal(pair.before, 2 * once)
    np.testing.assert_array_equal(pair.after, once + np.array(MEDITRON) + np.array(LITT3200_TUNED))
    assert (pair.seeds, pair.extent) == (2, "subset")


@pytest.mark.parametrize(
    ("percent", "cycles", "possible"),
    [(66.7, 3, True), (66.7, 1, False), (20.7, 29, True), (20.7, 7, False), (0.0, 1, True), (0.0, 0, False)],
)
def test_a_share_is_attainable_if_some_whole_number_of_cycles_gives_it(
    percent: float, cycles: int, possible: bool
) -> None:
    assert attainable(percent, cycles) is possible


def test_two_rows_of_the_papers_table_6_fit_only_each_others_cycles(shared_data: Path) -> None:
    annotations, folds = read_annotation_set(shared_data / "icbhi"), fold_of_patient(shared_data / "icbhi")
    notes = table_6_notes([each for each in annotations.recordings if folds[each.name.patient] == 4])
    assert len(notes) == 2
    assert notes[0].startswith("The paper prints Litt3200 and LittC2SE in each other's row: as printed, 4 of their 8")
    assert notes[1] == "The released test fold has 1444 cycles; section 6.2 speaks of 1370 samples."


@pytest.mark.parametrize("table", ["1", "2", "3", "6", "figure-6", "ablation", "folds"])
def test_every_table_from_runs_prints_with_whatever_is_there(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage_2(tmp_path / "runs", 0, LITT3200_TUNED)
    two_seeds(tmp_path / "runs")
    write_run(tmp_path / "runs" / "only", trained_on("Litt3200"), COMMON)
    report = tmp_path / "report.json"
    assert main([table, "--runs", str(tmp_path / "runs"), "--json", str(report)]) == 0
    assert "subset" in capsys.readouterr().out
    assert json.loads(report.read_text(encoding="utf-8"))[0]["rows"]


def test_the_papers_published_peers_stand_in_table_1(tmp_path: Path) -> None:
    two_seeds(tmp_path)
    assert [row[0] for row in block(tmp_path, "60/40").rows] == [
        row.method for row in paper.TABLE_1 if row.split == "60/40"
    ]


@pytest.mark.parametrize("arguments", [["1"], ["1", "--runs", "nowhere"], ["1", "--runs", "."]])
def test_a_set_up_error_is_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_figures_that_are_no_figures_are_refused_by_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", config(), COMMON)
    (folder / "test.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"test\.json: not a run's figures"):
        find_runs([tmp_path])
    (folder / "test.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"test\.json cannot be read"):
        find_runs([tmp_path])


def test_a_run_folder_that_training_writes_is_what_the_tables_read(icbhi_folder: Path, tmp_path: Path) -> None:
    asked = on_split(METHODS["cba_brc"](recipe_named("smoke")), "official")
    train(asked, {"icbhi": icbhi_folder}, tmp_path / "common")
    (row,) = rows_of(block(tmp_path, "60/40"), paper.TECHNIQUES)
    assert (row["cycles"], row["seeds"], row["extent"], row["protocol"]) == (12, 1, "subset", "patient-wise")
    assert isinstance(row["Score"], Spread)
