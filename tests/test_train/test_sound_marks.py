"""The marks of coughs, voices and crying: what the file holds, and that it fits the recordings."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from edge.audio.recording import RecordingSource
from train.errors import DatasetError
from train.sound_marks.marks import LookedAt, Mark, by_patient, read_looked_at, read_marks


@pytest.fixture(scope="module")
def looked_at() -> tuple[LookedAt, ...]:
    return read_looked_at()


def test_every_littmann_3200_original_was_looked_at(looked_at: tuple[LookedAt, ...], shared_data: Path) -> None:
    there = {path.stem for path in (shared_data / "icbhi" / "audio_and_txt_files").glob("*_Litt3200.flac")}
    assert {each.recording for each in looked_at if each.recording.endswith("_Litt3200")} == there
    assert len(there) == 48


def test_some_recordings_of_each_other_stethoscope_were_looked_at(looked_at: tuple[LookedAt, ...]) -> None:
    drawn = [each.recording.rsplit("_", 1)[-1] for each in looked_at if each.database == "icbhi"]
    assert all(drawn.count(token) >= 4 for token in ("AKGC417L", "LittC2SE", "Meditron"))


def test_no_recording_is_listed_twice(looked_at: tuple[LookedAt, ...]) -> None:
    names = [each.recording for each in looked_at]
    assert len(names) == len(set(names))


def test_marks_of_a_recording_do_not_overlap(looked_at: tuple[LookedAt, ...]) -> None:
    overlapping = [
        (each.recording, first, second)
        for each in looked_at
        for first, second in pairwise(each.marks)
        if first.end_s > second.start_s
    ]
    assert overlapping == []


def test_marks_lie_inside_their_recordings(looked_at: tuple[LookedAt, ...], shared_data: Path) -> None:
    for each in looked_at:
        path = each.maybe_path(shared_data)
        assert path is not None, f"{each.recording} is not in the data"
        with RecordingSource(path) as source:
            duration_s = sum(block.samples.size for block in source.blocks()) / source.sample_rate_hz
        assert all(mark.end_s <= duration_s + 0.005 for mark in each.marks), each.recording


def test_a_marked_cough_lasts_as_long_as_a_cough(looked_at: tuple[LookedAt, ...]) -> None:
    lengths_s = [mark.duration_s for each in looked_at for mark in each.marks if mark.kind == "cough"]
    assert min(lengths_s) >= 0.15
    assert max(lengths_s) <= 1.2


def test_patients_are_told_apart_by_database() -> None:
    looked_at = [LookedAt("109_a", "icbhi", "all", ()), LookedAt("109_b", "icbhi", "all", ())]
    grouped = by_patient([*looked_at, LookedAt("109_c", "sprsound", "drawn", ())])
    assert [len(own) for own in grouped.values()] == [2, 1]


def test_marks_come_in_order_of_their_start(tmp_path: Path) -> None:
    path = tmp_path / "marks.tsv"
    path.write_text("recording\tstart_s\tend_s\tkind\na\t2\t3\tvoice\na\t0.5\t1\tcough\n", encoding="utf-8")
    assert read_marks(path) == {"a": [Mark(0.5, 1.0, "cough"), Mark(2.0, 3.0, "voice")]}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a\t1\t2\tsneeze", "expected a kind of cough, voice, cry, unsure, found 'sneeze'"),
        ("a\t2\t1\tcough", "expected a start from 0 on and before the end, found '2 to 1'"),
        ("a\tone\t2\tcough", "expected seconds, found 'one'"),
        ("a\t1\t2", "expected 4 fields between tabs"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "marks.tsv"
    path.write_text(f"recording\tstart_s\tend_s\tkind\n{line}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"marks\.tsv:2: {expected}"):
        read_marks(path)
