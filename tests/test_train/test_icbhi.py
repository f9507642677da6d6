"""The ICBHI reader."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from edge.errors import AnnotationError
from train.errors import DatasetError
from train.icbhi import find_database_file, maybe_recording_name, read_icbhi


def test_the_root_and_its_audio_folder_read_alike(icbhi_folder: Path) -> None:
    assert read_icbhi(icbhi_folder) == read_icbhi(icbhi_folder / "audio_and_txt_files")


def test_patient_and_device_come_from_the_name_and_labels_from_the_flags(icbhi_folder: Path) -> None:
    recordings = read_icbhi(icbhi_folder)
    assert [recording.patient for recording in recordings] == [str(101 + number) for number in range(8)]
    assert recordings[1].device == "Meditron"
    assert [annotation.label for annotation in recordings[1].annotations] == [1, 2, 3, 0]
    assert (recordings[1].annotations[2].start_s, recordings[1].annotations[2].end_s) == (3.0, 4.5)


def test_wav_and_flac_are_both_found(icbhi_folder: Path) -> None:
    suffixes = Counter(recording.audio_path.suffix for recording in read_icbhi(icbhi_folder))
    assert suffixes == {".wav": 4, ".flac": 4}


def test_a_folder_without_such_names_is_refused_with_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a recording", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"is not an ICBHI folder.*audio_and_txt_files"):
        read_icbhi(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        read_icbhi(tmp_path / "nowhere")


def test_annotations_without_audio_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "101_1b1_Al_sc_Meditron.txt").write_text("0\t1\t0\t0\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"101_1b1_Al_sc_Meditron\.txt has no recording beside it.*\.wav or \.flac"):
        read_icbhi(tmp_path)


def test_a_line_that_is_no_annotation_is_named(tmp_path: Path) -> None:
    (tmp_path / "101_1b1_Al_sc_Meditron.wav").touch()
    (tmp_path / "101_1b1_Al_sc_Meditron.txt").write_text("0\t1\t0\t0\n1\t2\tyes\t0\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match="line 2"):
        read_icbhi(tmp_path)


def test_names_of_other_files_are_not_recordings() -> None:
    assert maybe_recording_name("filename_format") is None
    assert maybe_recording_name("101_1b1_Al_sc") is None


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


ORIGINALS = {
    "AKGC417L": (171, 283, 63, 79),
    "LittC2SE": (245, 38, 57, 9),
    "Litt3200": (250, 23, 79, 20),
    "Meditron": (940, 193, 134, 56),
}
ALL_BUT_TEN_PATIENTS = ORIGINALS | {"AKGC417L": (1748, 1504, 431, 355), "LittC2SE": (347, 77, 126, 44)}


@pytest.mark.parametrize(
    ("folder", "recordings", "cycles"), [("icbhi", 288, ORIGINALS), ("icbhi_4khz", 844, ALL_BUT_TEN_PATIENTS)]
)
def test_the_given_folders_have_the_counts_that_their_description_states(
    shared_data: Path, folder: str, recordings: int, cycles: dict[str, tuple[int, ...]]
) -> None:
    found = read_icbhi(shared_data / folder)
    counts = Counter((each.device, mark.label) for each in found for mark in each.annotations)
    assert len(found) == recordings
    assert {device: tuple(counts[device, label] for label in range(4)) for device in cycles} == cycles
    assert counts.total() == sum(map(sum, cycles.values()))
