"""What `train.data_report` says of whole and of damaged ICBHI folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.labels import LABELS
from train.data_report import inventory
from train.data_report.__main__ import DataReport, dict_from_report, main, report_on, text_from_report
from train.data_report.inventory import Fault, duplicates, take_inventory
from train.data_report.reproducible import NOT_AT_ALL
from train.errors import DatasetError
from train.icbhi import read_icbhi

RATE_HZ = 4000
FIRST, SECOND = "101_1b1_Al_sc_Litt3200", "102_1b1_Al_sc_Meditron"


@pytest.fixture
def folder(icbhi_folder: Path, tmp_path: Path) -> Path:
    """A copy to damage: eight patients, two stethoscopes, 32 cycles of all four classes."""
    return Path(shutil.copytree(icbhi_folder, tmp_path / "icbhi"))


def audio(folder: Path) -> Path:
    return folder / "audio_and_txt_files"


def faults(folder: Path) -> list[Fault]:
    return list(take_inventory(folder).faults)


def how(report: DataReport) -> dict[str, str]:
    return {each.what: each.how for each in report.reproducible}


def reasons(report: DataReport) -> dict[str, str]:
    return {each.what: each.reason for each in report.reproducible}


def notes(report: DataReport) -> str:
    return "\n".join(note for split in report.splits for note in split.notes)


def write_recording(folder: Path, name: str, lines: str, seconds: float = 4.0) -> None:
    rng = np.random.default_rng(sum(map(ord, name)))
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(round(seconds * RATE_HZ)), RATE_HZ)
    (folder / f"{name}.txt").write_text(lines, encoding="utf-8")


def test_a_sound_folder_has_no_fault_and_is_a_subset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "8 usable recordings of the database's 920 (subset), 8 patients, 32 cycles" in printed
    assert "No faults." in printed


def test_counts_are_per_stethoscope_class_and_rate(folder: Path) -> None:
    rows = {row["stethoscope"]: row for row in dict_from_report(report_on(folder))["stethoscopes"]}
    assert rows["Litt3200"] == {
        "stethoscope": "Litt3200", "recordings": 4, "patients": 4, "normal": 4, "crackle": 4, "wheeze": 4, "both": 4,
        "cycles": 16, "sound, min": pytest.approx(4 * 6 / 60), "rates, Hz": "4000 (4)",
    }  # fmt: skip
    assert rows["Meditron"]["rates, Hz"] == "10000 (4)"
    assert rows["AKGC417L"]["recordings"] == 0


def test_sides_are_counted_and_say_what_they_lack(folder: Path) -> None:
    rows = {row["side"]: row for row in dict_from_report(report_on(folder))["sides"]}
    assert [rows[f"official {side}"]["recordings"] for side in ("train", "test")] == [5, 3]
    assert [rows[f"fold-{fold}"]["recordings"] for fold in range(5)] == [2, 2, 2, 1, 1]
    assert rows["fold-4"]["absent"] == "AKGC417L, Meditron, LittC2SE"
    assert rows["official train"]["absent"] == "AKGC417L, LittC2SE"


def test_annotations_without_audio_are_named_and_do_not_stop_the_report(folder: Path) -> None:
    (audio(folder) / f"{FIRST}.wav").unlink()
    (fault,) = faults(folder)
    assert fault.kind == inventory.WITHOUT_AUDIO
    assert f"{FIRST}.txt has no recording beside it" in fault.message
    with pytest.raises(DatasetError):
        read_icbhi(folder)


def test_audio_without_annotations_is_passed_over_and_no_failure(folder: Path) -> None:
    (audio(folder) / f"{FIRST}.txt").unlink()
    (fault,) = faults(folder)
    assert fault.kind == inventory.WITHOUT_ANNOTATIONS
    assert main([str(folder)]) == 0
    assert len(report_on(folder).inventory.usable) == 7


def test_annotations_past_the_end_are_named_with_both_times(folder: Path) -> None:
    (audio(folder) / f"{FIRST}.txt").write_text("0\t1.5\t0\t0\n1.5\t9.5\t1\t0\n", encoding="utf-8")
    (fault,) = faults(folder)
    assert fault.kind == inventory.PAST_THE_END
    assert "cycle 2 lasts from 1.5 s to 9.5 s, but the recording ends at 6.000 s" in fault.message


def test_a_line_that_is_no_annotation_is_named(folder: Path) -> None:
    (audio(folder) / f"{FIRST}.txt").write_text("0\t1.5\tyes\t0\n", encoding="utf-8")
    (fault,) = faults(folder)
    assert fault.kind == inventory.UNREADABLE_ANNOTATIONS
    assert "line 1" in fault.message


@pytest.mark.parametrize("keep", [0, 100, 6000])
@pytest.mark.parametrize("name", ["101_1b1_Al_sc_Litt3200.wav", "106_1b1_Al_sc_Meditron.flac"])
def test_audio_that_is_cut_off_is_unreadable_wherever_the_cut_is(folder: Path, name: str, keep: int) -> None:
    path = audio(folder) / name
    path.write_bytes(path.read_bytes()[:keep])
    (fault,) = faults(folder)
    assert fault.kind == inventory.UNREADABLE_AUDIO
    assert name in fault.message


def test_faults_that_stop_training_give_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (audio(folder) / f"{FIRST}.wav").write_bytes(b"not sound")
    assert main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "1 × unreadable audio (training stops):" in printed
    assert "Training stops until the faults below are mended: 1." in printed


def test_the_same_sound_is_found_in_another_format_and_under_another_name(folder: Path) -> None:
    samples, rate_hz = soundfile.read(audio(folder) / f"{FIRST}.wav", dtype="int16")
    copy = "109_1b1_Al_sc_Litt3200"
    soundfile.write(audio(folder) / f"{copy}.flac", samples, rate_hz)
    shutil.copy(audio(folder) / f"{FIRST}.txt", audio(folder) / f"{copy}.txt")
    report = report_on(folder)
    assert duplicates(report.inventory.entries) == [(FIRST, copy)]
    assert f"{FIRST}, {copy}" in text_from_report(report)


def test_two_files_of_one_recording_and_strange_names_are_told(folder: Path) -> None:
    shutil.copy(audio(folder) / f"{FIRST}.wav", audio(folder) / "notes.wav")
    shutil.copy(audio(folder) / f"{SECOND}.wav", audio(folder) / "109_1b1_Al_sc_Meditron.WAV")
    samples, rate_hz = soundfile.read(audio(folder) / f"{FIRST}.wav")
    soundfile.write(audio(folder) / f"{FIRST}.flac", samples, rate_hz)
    found = take_inventory(folder)
    assert [fault.kind for fault in found.faults] == [inventory.TWO_FILES]
    assert found.strangers == ("109_1b1_Al_sc_Meditron.WAV", "notes.wav")
    assert len(found.usable) == 8


def test_a_split_file_and_a_folder_that_disagree_are_told_both_ways(folder: Path) -> None:
    split = folder / "ICBHI_challenge_train_test.txt"
    lines = split.read_text(encoding="utf-8").splitlines()
    split.write_text("\n".join([*lines[1:], "190_1b1_Al_sc_Meditron\ttrain"]), encoding="utf-8")
    told = notes(report_on(folder))
    assert "1 of 8 recordings that it names are not usable here: 190_1b1_Al_sc_Meditron" in told
    assert f"1 of 8 recordings here are not in it, so that --split official stops: {FIRST}" in told


def test_flaws_of_a_split_file_are_told(folder: Path) -> None:
    split = folder / "ICBHI_challenge_train_test.txt"
    flawed = ["156_1b1_Al_sc_Meditron\ttrain", "156_2b1_Al_sc_Meditron\ttest", "226_1b1_Pl_sc_Meditron\ttrain"]
    flawed += ["101_9b9_Al_sc_Litt3200\ttest", "no recording"]
    split.write_text(split.read_text(encoding="utf-8") + "\n".join(flawed), encoding="utf-8")
    told = notes(report_on(folder))
    assert "patients 156 stand on both sides: a known flaw of the file, kept" in told
    assert "patients 101 stand on both sides: the split stops" in told
    assert "it names 226_1b1_Pl_sc_Meditron, the recording is 226_1b1_Pl_sc_LittC2SE: a known flaw" in told
    assert "1 of 13 lines cannot be read, so that the split stops: no recording" in told


def test_a_patient_who_is_in_no_fold_is_told(folder: Path) -> None:
    folds = folder / "patient_list_foldwise.txt"
    folds.write_text("\n".join(folds.read_text(encoding="utf-8").splitlines()[1:]), encoding="utf-8")
    assert "1 of 8 patients here are not in it, so that --split fold-K stops: 101" in notes(report_on(folder))


def test_without_split_files_no_table_can_be_trained_for(folder: Path) -> None:
    for name in ("ICBHI_challenge_train_test.txt", "patient_list_foldwise.txt"):
        (folder / name).unlink()
    report = report_on(folder)
    assert how(report)["table 4, table 5, figure 4"] == "subset"
    assert how(report)["table 1, 60/40"] == NOT_AT_ALL
    assert reasons(report)["table 2"] == "patient_list_foldwise.txt is absent"
    assert "patient_list_foldwise.txt is absent" in text_from_report(report)


def test_what_can_be_reproduced_follows_from_the_classes_on_each_side(folder: Path) -> None:
    report = report_on(folder)
    assert how(report)["table 1, 80/20"] == "subset"
    assert how(report)["table 6 (AKGC417L)"] == NOT_AT_ALL
    assert "AKGC417L has no normal and no crackle and no wheeze" in reasons(report)["table 6 (AKGC417L)"]


def test_a_class_absent_from_the_training_side_is_why_nothing_can_be_trained(tmp_path: Path) -> None:
    write_recording(tmp_path, "101_1b1_Al_sc_Meditron", "0\t1\t0\t0\n1\t2\t1\t0\n")
    write_recording(tmp_path, "102_1b1_Al_sc_Meditron", "0\t1\t0\t0\n1\t2\t1\t1\n2\t3\t0\t1\n")
    (tmp_path / "patient_list_foldwise.txt").write_text("101 0\n102 4\n", encoding="utf-8")
    report = report_on(tmp_path)
    assert reasons(report)["table 2"] == "no wheeze and no both cycle to train on"


def test_annotations_alone_are_enough_for_three_of_the_tables(folder: Path) -> None:
    shutil.rmtree(audio(folder))
    (folder / "all_annotations").mkdir()
    for number in range(920):
        (folder / "all_annotations" / f"101_{number}b1_Al_sc_Meditron.txt").write_text("0 1 0 0\n", encoding="utf-8")
    report = report_on(folder)
    assert how(report)["table 4, table 5, figure 4"] == "full"
    assert set(how(report).values()) == {"full", NOT_AT_ALL}


def test_everything_is_written_as_json(folder: Path, tmp_path: Path) -> None:
    (audio(folder) / f"{FIRST}.wav").unlink()
    assert main([str(folder), "--json", str(tmp_path / "report.json")]) == 1
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["recordings usable"] == 7
    assert written["faults"][0]["kind"] == inventory.WITHOUT_AUDIO
    assert written["splits"]["ICBHI_challenge_train_test.txt"]["present"] is True


@pytest.mark.parametrize("content", ["nothing", "other files"])
def test_a_folder_that_is_not_icbhi_is_one_line(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content == "other files":
        (tmp_path / "notes.txt").write_text("0 1 0 0\n", encoding="utf-8")
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "is not an ICBHI folder" in lines[0]


@pytest.fixture
def given_without_meditron(shared_data: Path, tmp_path: Path) -> Path:
    """The given subset less its 114 recordings of one stethoscope, which take most of the time."""
    audio(tmp_path).mkdir()
    for path in (shared_data / "icbhi").iterdir():
        if path.name != "audio_and_txt_files":
            (tmp_path / path.name).symlink_to(path)
    for path in audio(shared_data / "icbhi").iterdir():
        if not path.stem.endswith("Meditron"):
            (audio(tmp_path) / path.name).symlink_to(path)
    return tmp_path


def test_real_recordings_are_reported_as_their_description_states(given_without_meditron: Path) -> None:
    report = report_on(given_without_meditron)
    values = dict_from_report(report)
    assert (values["recordings usable"], values["extent"], values["annotation files apart"]) == (174, "subset", 920)
    rows = values["stethoscopes"]
    assert {row["stethoscope"]: [row[label] for label in LABELS] for row in rows} == {
        "AKGC417L": [171, 283, 63, 79], "Meditron": [0, 0, 0, 0],
        "Litt3200": [250, 23, 79, 20], "LittC2SE": [245, 38, 57, 9],
    }  # fmt: skip
    assert values["faults"] == []
    assert "patients 156, 218 stand on both sides" in notes(report)
    assert "226_1b1_Pl_sc_Meditron, the recording is 226_1b1_Pl_sc_LittC2SE" in notes(report)
    assert how(report)["table 4, table 5, figure 4"] == "full"
    assert how(report)["table 6 (AKGC417L)"] == "subset"
    assert how(report)["table 1, 60/40"] == "subset"
    assert reasons(report)["table 1, 60/40"].endswith("of 381 recordings")
    assert {row["side"]: row["recordings published"] for row in values["sides"]}["official train"] == 539
