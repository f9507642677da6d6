"""Splits: whole patients, balanced, and honest about the official file."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from train.errors import DatasetError, SplitError
from train.icbhi import read_icbhi
from train.recording import Recording
from train.splits import Sides, hold_out_patients, official_split, patient_fold, split_recordings
from train.sprsound import read_sprsound


def patients(recordings: Sequence[Recording]) -> set[str]:
    return {recording.patient for recording in recordings}


@pytest.mark.parametrize("split", ["official", "fold-0", "fold-4", "kfold-0-of-3", "kfold-2-of-3"])
def test_no_patient_stands_on_both_sides(icbhi_folder: Path, split: str) -> None:
    recordings = read_icbhi(icbhi_folder)
    sides = split_recordings(recordings, split, icbhi_folder)
    assert sides.training
    assert sides.test
    assert not patients(sides.training) & patients(sides.test)
    assert len(sides.training) + len(sides.test) == len(recordings)


def test_the_sides_are_those_of_the_file(icbhi_folder: Path) -> None:
    recordings = read_icbhi(icbhi_folder)
    assert patients(split_recordings(recordings, "official", icbhi_folder).test) == {"106", "107", "108"}
    assert patients(split_recordings(recordings, "fold-1", icbhi_folder).test) == {"102", "107"}


def test_split_files_are_found_beside_the_audio_folder(icbhi_folder: Path) -> None:
    recordings = read_icbhi(icbhi_folder)
    inner = icbhi_folder / "audio_and_txt_files"
    assert split_recordings(recordings, "official", inner) == split_recordings(recordings, "official", icbhi_folder)


def test_folds_take_every_patient_once_and_every_device(icbhi_folder: Path) -> None:
    recordings = read_icbhi(icbhi_folder)
    tested = [patient_fold(recordings, fold, 4).test for fold in range(4)]
    assert sorted(patient for side in tested for patient in patients(side)) == sorted(patients(recordings))
    assert all({recording.device for recording in side} == {"Litt3200", "Meditron"} for side in tested)


def test_patients_are_held_out_from_each_device_and_always_the_same(icbhi_folder: Path) -> None:
    recordings = read_icbhi(icbhi_folder)
    first, second = hold_out_patients(recordings, 0.25), hold_out_patients(recordings, 0.25)
    assert first == second
    assert sorted(recording.device for recording in first.test) == ["Litt3200", "Meditron"]
    assert not patients(first.training) & patients(first.test)


def test_nobody_is_held_out_for_a_share_of_nothing(icbhi_folder: Path) -> None:
    assert hold_out_patients(read_icbhi(icbhi_folder), 0).test == ()


def test_a_patient_on_both_sides_is_refused_by_name(icbhi_folder: Path) -> None:
    first, second = read_icbhi(icbhi_folder)[:2]
    with pytest.raises(SplitError, match=r"both sides of the split: 101$"):
        Sides((first, second), (first,))


def official_file(folder: Path, *lines: str) -> Path:
    path = folder / "split.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_official_file_may_not_part_any_other_patient(icbhi_folder: Path, tmp_path: Path) -> None:
    recording = read_icbhi(icbhi_folder)[0]
    other = Recording(**{**vars(recording), "name": "101_2b1_Al_sc_Litt3200"})
    path = official_file(tmp_path, "101_1b1_Al_sc_Litt3200 train", "101_2b1_Al_sc_Litt3200 test")
    with pytest.raises(SplitError, match="101"):
        official_split([recording, other], path)


def test_the_two_patients_that_the_official_file_parts_are_let_pass(icbhi_folder: Path, tmp_path: Path) -> None:
    recording = read_icbhi(icbhi_folder)[0]
    names = ("156_1b1_Al_sc_Meditron", "156_2b1_Al_sc_Meditron")
    both = [Recording(**{**vars(recording), "name": name, "patient": "156"}) for name in names]
    sides = official_split(both, official_file(tmp_path, f"{names[0]} train", f"{names[1]} test"))
    assert (len(sides.training), len(sides.test)) == (1, 1)


def test_the_device_in_the_official_file_is_not_looked_at(icbhi_folder: Path, tmp_path: Path) -> None:
    recording = read_icbhi(icbhi_folder)[0]
    sides = official_split([recording], official_file(tmp_path, "101_1b1_Al_sc_Meditron test"))
    assert sides.test == (recording,)


def test_recordings_that_the_official_file_does_not_name_are_listed(icbhi_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"does not name 102_1b1_Al_sc_Meditron.*7 in all"):
        official_split(read_icbhi(icbhi_folder), official_file(tmp_path, "101_1b1_Al_sc_Litt3200 test"))


def test_a_missing_split_file_says_where_it_was_looked_for(icbhi_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"ICBHI_challenge_train_test\.txt is neither in"):
        split_recordings(read_icbhi(icbhi_folder), "official", tmp_path / "elsewhere")


@pytest.mark.parametrize("split", ["official", "fold-4"])
def test_a_copy_without_split_files_says_which_split_needs_none(icbhi_folder: Path, split: str) -> None:
    recordings = read_icbhi(icbhi_folder)
    with pytest.raises(DatasetError, match=rf"^split {split}: .* neither in .* copy it there .* --split kfold-0-of-5"):
        split_recordings(recordings, split, icbhi_folder / "audio_and_txt_files" / "nowhere")


def test_a_line_of_the_fold_file_that_cannot_be_read_is_named(icbhi_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "patient_list_foldwise.txt").write_text("101 0\n102 four\n", encoding="utf-8")
    with pytest.raises(SplitError, match=r"'102 four' is not `PATIENT FOLD`"):
        split_recordings(read_icbhi(icbhi_folder), "fold-0", tmp_path)


@pytest.mark.parametrize("split", ["offical", "fold-9", "kfold-4-of-4"])
def test_an_unknown_split_is_refused(icbhi_folder: Path, split: str) -> None:
    with pytest.raises(SplitError, match=r"unknown split|no fold 9|does not exist"):
        split_recordings(read_icbhi(icbhi_folder), split, icbhi_folder)


def test_sprsound_parts_may_share_children_but_held_out_ones_are_not_trained_on(sprsound_folder: Path) -> None:
    sides = split_recordings(read_sprsound(sprsound_folder), "train", sprsound_folder)
    assert patients(sides.test) <= patients(sides.training)
    held = hold_out_patients(sides.training, 0.25)
    assert not patients(held.training) & patients(held.test)


def test_real_patients_are_held_out_from_both_main_devices(shared_data: Path) -> None:
    held = hold_out_patients(read_icbhi(shared_data / "icbhi"), 0.2).test
    assert len(patients([recording for recording in held if recording.device == "Litt3200"])) == 2
    assert len(patients([recording for recording in held if recording.device == "Meditron"])) == 12


def test_the_real_official_split_keeps_its_two_flaws(shared_data: Path) -> None:
    folder = shared_data / "icbhi"
    sides = split_recordings(read_icbhi(folder), "official", folder)
    assert patients(sides.training) & patients(sides.test) <= {"156", "218"}
    assert not [recording for recording in sides.test if recording.device == "LittC2SE"]
