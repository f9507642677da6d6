"""Re-packed copies of ICBHI: nested folders, none or scattered split files."""

import shutil
from pathlib import Path

import pytest

from train.errors import DatasetError
from train.icbhi import find_database_file, read_icbhi


def repacked(icbhi_folder: Path, inner: Path) -> None:
    """Sound and annotations at `inner`, without the split files."""
    shutil.copytree(icbhi_folder / "audio_and_txt_files", inner)


def names(folder: Path) -> list[str]:
    return [recording.name for recording in read_icbhi(folder)]


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "ICBHI_final_database",
        "Respiratory_Sound_Database/audio_and_txt_files",
        "Respiratory_Sound_Database/Respiratory_Sound_Database/audio_and_txt_files",
    ],
)
def test_repackings_are_read_from_every_folder_above_the_recordings(
    icbhi_folder: Path, tmp_path: Path, inner: str
) -> None:
    root = tmp_path / "copy"
    repacked(icbhi_folder, root / inner)
    (root / inner).with_name("patient_diagnosis.csv").write_text("101,URTI\n", encoding="utf-8")
    given = [root / inner, *(place for place in (root / inner).parents if place.is_relative_to(root))]
    assert all(names(folder) == names(icbhi_folder) for folder in given)


def test_an_archive_that_holds_everything_twice_is_read_once(icbhi_folder: Path, tmp_path: Path) -> None:
    for outer in ("Respiratory_Sound_Database", "respiratory_sound_database_2"):
        repacked(icbhi_folder, tmp_path / outer / "audio_and_txt_files")
    assert names(tmp_path) == names(icbhi_folder)


def test_two_different_sets_in_one_folder_are_not_guessed_between(icbhi_folder: Path, tmp_path: Path) -> None:
    for outer in ("a", "b"):
        repacked(icbhi_folder, tmp_path / outer / "audio_and_txt_files")
    (tmp_path / "b" / "audio_and_txt_files" / "101_1b1_Al_sc_Litt3200.txt").unlink()
    with pytest.raises(DatasetError, match=r"holds more than one set of ICBHI recordings.*give one of them"):
        read_icbhi(tmp_path)


def test_split_files_are_found_at_every_level_of_a_nested_copy(icbhi_folder: Path, tmp_path: Path) -> None:
    inner = tmp_path / "Respiratory_Sound_Database" / "audio_and_txt_files"
    repacked(icbhi_folder, inner)
    for place in (tmp_path, inner.parent, inner):
        (place / "split.txt").touch()
        assert find_database_file(tmp_path, "split.txt") == place / "split.txt"
