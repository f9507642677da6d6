"""Stage 2 begins at the common model's best checkpoint, on one stethoscope, among the same patients."""

import json
from pathlib import Path
from typing import Any

import pytest

from train.checkpoint import load_checkpoint
from train.data import check_classes, run_recordings
from train.errors import AbsentClassError
from train.recipes import fine_tuning, joint
from train.two_stages import main

FEW_STEPS = ("--set", "fine_tuning.epochs=1", "--set", "fine_tuning.samples_per_epoch=8")


def arguments(folder: Path, out: Path, *more: str) -> list[str]:
    return ["--recipe", "smoke", "--data", str(folder), "--out", str(out), *FEW_STEPS, *more]


@pytest.fixture(scope="module")
def stages(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("two") / "stages"
    assert main(arguments(icbhi_folder, out, "--split", "fold-4")) == 0
    return out


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_there_is_a_model_for_all_and_one_for_each_stethoscope(stages: Path) -> None:
    assert {path.name for path in stages.iterdir()} == {"common", "Litt3200", "Meditron"}
    for device in ("Litt3200", "Meditron"):
        asked = read(stages / device / "config.json")
        assert asked["init"] == str((stages / "common" / "best").resolve())
        assert asked["config"]["datasets"][0]["device"] == device
        assert asked["config"]["optimiser"]["learning_rate"] == 1e-4


def test_stage_2_holds_back_the_patients_that_stage_1_held_back(stages: Path) -> None:
    common = load_checkpoint(stages / "common" / "best").training_run["patients"]["icbhi"]
    for device in ("Litt3200", "Meditron"):
        own = load_checkpoint(stages / device / "best").training_run["patients"]["icbhi"]
        assert set(own["validation"]) <= set(common["validation"])
        assert set(own["training"]) == set(common["training"])
        assert own["test"] == common["test"]


def test_every_stage_is_measured_on_the_whole_test_side(stages: Path) -> None:
    reports = [read(stages / stage / "test.json") for stage in ("common", "Litt3200", "Meditron")]
    assert {report["figures"]["cycles"] for report in reports} == {4}
    assert {(report["protocol"], report["split"], report["extent"]) for report in reports} == {
        ("patientwise", "fold-4", "subset")
    }
    assert all(report["leaking_figures"] is None for report in reports)


def test_a_stethoscope_without_a_class_keeps_the_common_model(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "icbhi"
    folder.mkdir()
    for path in (icbhi_folder / "audio_and_txt_files").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for path in folder.glob("*_Meditron.txt"):
        path.write_text("0\t1.5\t0\t0\n1.5\t3\t1\t0\n", encoding="utf-8")
    assert main(arguments(folder, tmp_path / "out")) == 0
    captured = capsys.readouterr()
    assert "the training side of Meditron has no wheeze and no both cycle" in captured.err
    assert f"Meditron: {tmp_path / 'out' / 'common' / 'best'}" in captured.out
    assert not (tmp_path / "out" / "Meditron").exists()


def test_the_published_protocol_selects_on_the_test_side_and_reports_what_leaks(
    icbhi_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(arguments(icbhi_folder, out, "--split", "fold-4", "--protocol", "published")) == 0
    report = read(out / "common" / "test.json")
    sides = read(out / "common" / "run.json")["patients"]["icbhi"]
    assert report["protocol"] == "published"
    assert sides["validation"] == sides["test"]
    assert report["leaking_figures"]["cycles"] == report["figures"]["cycles"]
    epochs = [json.loads(line) for line in (out / "common" / "metrics.jsonl").read_text().splitlines()]
    leaking = report["leaking_figures"]
    for row in (leaking, *leaking["devices"].values()):
        del row["intervals"]
    assert epochs[report["epoch"]]["validation"]["icbhi"] == leaking


def test_other_data_do_not_stand_in_for_a_class_that_the_stethoscope_lacks(
    icbhi_folder: Path, sprsound_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "icbhi"
    folder.mkdir()
    for path in (icbhi_folder / "audio_and_txt_files").glob("*_Meditron.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    for path in folder.glob("*.txt"):
        path.write_text("0\t1.5\t1\t0\n1.5\t3\t1\t0\n", encoding="utf-8")
    data = {"icbhi": folder, "sprsound": sprsound_folder}
    stage = fine_tuning(joint(), "Meditron")
    parts = {each.name: run_recordings(each, data[each.name]) for each in stage.datasets}
    check_classes(parts, joint())
    with pytest.raises(AbsentClassError, match="the training side of Meditron has no normal and no wheeze and no both"):
        check_classes(parts, stage)
