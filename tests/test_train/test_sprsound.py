"""The SPRSound reader."""

import json
from collections import Counter
from pathlib import Path

import pytest

from edge.labels import LABELS
from train.errors import DatasetError
from train.sprsound import LABEL_BY_TYPE, read_sprsound


def test_the_patient_is_the_first_eight_digits_and_the_part_its_folder(sprsound_folder: Path) -> None:
    recordings = read_sprsound(sprsound_folder)
    assert Counter(recording.subset for recording in recordings) == {"train": 9, "intra": 2}
    assert {len(recording.patient) for recording in recordings} == {8}
    assert {recording.patient for recording in recordings if recording.subset == "intra"} == {"40000000", "40000001"}


def test_events_become_the_four_classes_in_seconds(sprsound_folder: Path) -> None:
    first = next(each for each in read_sprsound(sprsound_folder) if each.name == "40000000_0.5_0_p1_train")
    assert [LABELS[mark.label] for mark in first.annotations] == ["normal", "crackle", "both"]
    assert [(mark.start_s, mark.end_s) for mark in first.annotations] == [(0.0, 1.5), (1.5, 3.0), (3.0, 4.5)]


def test_one_part_alone_is_read_with_its_part(sprsound_folder: Path) -> None:
    assert {recording.subset for recording in read_sprsound(sprsound_folder / "intra")} == {"intra"}


def test_a_recording_without_events_has_no_annotations(sprsound_folder: Path) -> None:
    silent = next(each for each in read_sprsound(sprsound_folder) if each.patient == "40000008")
    assert silent.annotations == ()


def test_the_published_layout_with_audio_in_another_folder_is_read(tmp_path: Path) -> None:
    for folder in ("train_wav", "train_json"):
        (tmp_path / folder).mkdir()
    (tmp_path / "train_wav" / "40069321_15.3_0_p1_981.wav").touch()
    text = json.dumps({"event_annotation": [{"start": "10", "end": "900", "type": "Stridor"}]})
    (tmp_path / "train_json" / "40069321_15.3_0_p1_981.json").write_text(text, encoding="utf-8")
    (recording,) = read_sprsound(tmp_path)
    assert recording.audio_path.parent.name == "train_wav"
    assert recording.subset == "train"
    assert LABELS[recording.annotations[0].label] == "wheeze"


@pytest.mark.parametrize(
    "event",
    [
        {"start": "0", "end": "10", "type": "Cough"},
        {"start": "20", "end": "10", "type": "Normal"},
        {"start": "0", "type": "Normal"},
        {"start": "zero", "end": "10", "type": "Normal"},
    ],
)
def test_an_event_that_cannot_be_read_names_its_file(tmp_path: Path, event: dict[str, str]) -> None:
    (tmp_path / "40069321_15.3_0_p1_981.wav").touch()
    path = tmp_path / "40069321_15.3_0_p1_981.json"
    path.write_text(json.dumps({"event_annotation": [event]}), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"40069321_15\.3_0_p1_981\.json is not an SPRSound annotation"):
        read_sprsound(tmp_path)


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not an SPRSound folder"):
        read_sprsound(tmp_path)


def test_annotations_without_audio_are_refused(tmp_path: Path) -> None:
    (tmp_path / "40069321_15.3_0_p1_981.json").write_text('{"event_annotation": []}', encoding="utf-8")
    with pytest.raises(DatasetError, match="has no recording"):
        read_sprsound(tmp_path)


def test_every_type_leads_to_a_known_class() -> None:
    assert set(LABEL_BY_TYPE.values()) == set(LABELS)


def test_all_children_of_intra_are_in_train_in_the_given_set(shared_data: Path) -> None:
    recordings = read_sprsound(shared_data / "sprsound")
    children = {part: {each.patient for each in recordings if each.subset == part} for part in ("train", "intra")}
    assert len(recordings) == 1949 + 379
    assert (len(children["train"]), len(children["intra"])) == (251, 162)
    assert children["intra"] <= children["train"]
