"""How much of a dataset is there, in words."""

import shutil
from pathlib import Path

import pytest

from train.data import read_dataset, tell_what_is_there
from train.errors import DatasetError
from train.holdings import coverage, found_line
from train.icbhi import read_icbhi
from train.splits import split_recordings
from train.sprsound import read_sprsound

OFFICIAL, FOLDS = "ICBHI_challenge_train_test.txt", "patient_list_foldwise.txt"


@pytest.fixture
def folder(icbhi_folder: Path, tmp_path: Path) -> Path:
    """A copy without the last patient, who is on the test side and in fold 2."""
    copy = Path(shutil.copytree(icbhi_folder, tmp_path / "icbhi"))
    for path in (copy / "audio_and_txt_files").glob("108_*"):
        path.unlink()
    return copy


def words(folder: Path, split: str) -> str:
    recordings = read_icbhi(folder)
    return coverage("icbhi", split, recordings, split_recordings(recordings, split, folder).test, folder)


def test_the_split_files_say_how_many_recordings_a_test_side_should_have(folder: Path) -> None:
    assert words(folder, "official") == "test side 2 of 3 recordings"
    assert words(folder, "fold-2") == "test side 1 of 2 recordings"


def test_where_no_file_says_the_folder_is_counted(folder: Path) -> None:
    assert words(folder, "kfold-0-of-3") == "folder 7 of 920 recordings"
    (folder / OFFICIAL).unlink()
    assert words(folder, "fold-2") == "folder 7 of 920 recordings"


def test_a_set_of_unknown_size_has_no_words(sprsound_folder: Path) -> None:
    recordings = read_sprsound(sprsound_folder)
    assert coverage("sprsound", "train", recordings, recordings, sprsound_folder) == ""
    assert found_line("sprsound", recordings, sprsound_folder).endswith("(intra 2, train 9)")


def test_one_line_says_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell_what_is_there({"icbhi": folder})
    inner = folder / "audio_and_txt_files"
    told = f"icbhi: 7 of 920 recordings in {inner}; official split: training 5 of 5, test 2 of 3\n"
    assert capsys.readouterr().err == told


def test_the_line_says_what_lacks_and_what_needs_it(folder: Path) -> None:
    (folder / OFFICIAL).unlink()
    (folder / FOLDS).unlink()
    (folder / "audio_and_txt_files" / "101_1b1_Al_sc_Litt3200.txt").unlink()
    line = found_line("icbhi", read_icbhi(folder), folder)
    assert f"no {OFFICIAL}, which --split official needs" in line
    assert f"no {FOLDS}, which --split fold-K needs" in line
    assert line.endswith("passed over 1 sound files without annotations")


def test_a_split_file_that_cannot_be_read_does_not_stop_other_splits(folder: Path) -> None:
    (folder / OFFICIAL).write_text("no recording\n", encoding="utf-8")
    assert f"{OFFICIAL} cannot be read" in found_line("icbhi", read_icbhi(folder), folder)
    assert words(folder, "kfold-0-of-3") == "folder 7 of 920 recordings"


def test_the_4_khz_copy_is_called_what_it_is(shared_data: Path) -> None:
    copy = shared_data / "icbhi_4khz"
    line = found_line("icbhi", read_dataset("icbhi", copy), copy)
    assert line.startswith("icbhi: 844 of 920 recordings in ")
    assert line.endswith("; official split: training 539 of 539, test 305 of 381")
    assert words(copy, "official") == "test side 305 of 381 recordings"


def test_recordings_shorter_than_their_annotations_are_one_line_with_both_times(folder: Path) -> None:
    inner = folder / "audio_and_txt_files"
    for name in ("101_1b1_Al_sc_Litt3200", "106_1b1_Al_sc_Meditron"):
        (inner / f"{name}.txt").write_text("0\t1.5\t0\t0\n1.5\t19.5\t1\t0\n", encoding="utf-8")
    told = r"^2 of 7 recordings end before .* first is .*101_1b1_Al_sc_Litt3200\.wav: it lasts 6\.000 s, .* 19\.500 s"
    with pytest.raises(DatasetError, match=told) as raised:
        read_dataset("icbhi", folder)
    assert "\n" not in str(raised.value)


def test_a_mark_slightly_past_the_end_and_a_file_that_is_no_sound_are_left_to_the_reader(folder: Path) -> None:
    inner = folder / "audio_and_txt_files"
    (inner / "101_1b1_Al_sc_Litt3200.txt").write_text("0\t6.2\t0\t0\n", encoding="utf-8")
    (inner / "103_1b1_Al_sc_Litt3200.wav").write_bytes(b"not sound at all")
    assert len(read_dataset("icbhi", folder)) == 7
