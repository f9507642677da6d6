"""The ICBHI reader."""

from collections import Counter
from pathlib import Path

import pytest

from edge.errors import AnnotationError
from train.errors import DatasetError
from train.icbhi import maybe_recording_name, read_icbhi
from train.recording import Recording
from train.splits import split_recordings


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


def counts_by_device(recordings: list[Recording]) -> dict[str, list[int]]:
    counts = Counter((each.device, mark.label) for each in recordings for mark in each.annotations)
    return {device: [counts[device, label] for label in range(4)] for device in {each.device for each in recordings}}


def test_the_given_subset_has_the_counts_that_its_description_states(shared_data: Path) -> None:
    recordings = read_icbhi(shared_data / "icbhi")
    assert len(recordings) == 288
    assert counts_by_device(recordings) == {
        "AKGC417L": [171, 283, 63, 79],
        "Litt3200": [250, 23, 79, 20],
        "LittC2SE": [245, 38, 57, 9],
        "Meditron": [940, 193, 134, 56],
    }


def test_the_4_khz_copy_has_the_counts_that_its_description_states(shared_data: Path) -> None:
    recordings = read_icbhi(shared_data / "icbhi_4khz")
    assert len(recordings) == 844
    assert counts_by_device(recordings) == {
        "AKGC417L": [1748, 1504, 431, 355],
        "Litt3200": [250, 23, 79, 20],
        "LittC2SE": [347, 77, 126, 44],
        "Meditron": [940, 193, 134, 56],
    }
    sides = split_recordings(recordings, "official", shared_data / "icbhi_4khz")
    assert [len(side) for side in (sides.training, sides.test)] == [539, 305]
    assert [sum(len(each.annotations) for each in side) for side in (sides.training, sides.test)] == [4142, 2185]
