"""Which recordings go, and what is never touched."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.recorder.growing_wave import GrowingWave
from edge.recorder.retention import Retention, list_recordings_kept, prune, stem_from_start

NOW = datetime(2026, 1, 14, 15, 30, tzinfo=timezone.utc)
SESSION_ID = "0123456789abcdef"
NOT_OURS = (
    "notes.txt",
    "respire.wav",
    "respire-20260114T1530Z-0123456789abcdef-0001.flac",
    "respire-20260114T1530Z-0123456789ABCDEF-0001.wav",
    "respire-20261314T1530Z-0123456789abcdef-0001.wav",
    "my respire-20200114T1530Z-0123456789abcdef-0001.wav",
    "respire-20200114T1530Z-0123456789abcdef-0001.wav.bak",
    "respire-20200114T1530Z-0123456789abcdef-0001.wav\n",
)


def make(folder: Path, age_min: int, number: int, sound_bytes: int, notes_bytes: int) -> str:
    stem = stem_from_start(NOW - timedelta(minutes=age_min), SESSION_ID, number)
    (folder / f"{stem}.wav").write_bytes(bytes(sound_bytes))
    (folder / f"{stem}.json").write_bytes(bytes(notes_bytes))
    return stem


recordings = st.lists(st.tuples(st.integers(-60, 5000), st.integers(0, 900), st.integers(0, 90)), max_size=12)


@settings(max_examples=50, deadline=None)
@given(recordings, st.integers(0, 4000), st.floats(0.001, 4), st.integers(0, 500))
def test_what_stays_is_young_enough_small_enough_and_the_newest(
    made: list[tuple[int, int, int]], max_bytes: int, max_age_days: float, reserved_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for foreign in NOT_OURS:
            (folder / foreign).write_bytes(bytes(300))
        stems = [make(folder, age, number, *sizes) for number, (age, *sizes) in enumerate(made, 1)]
        removed = prune(folder, Retention(max_age_days, max_bytes, 1), NOW, reserved_bytes)

        kept = list_recordings_kept(folder)
        assert sorted([*removed, *(recording.stem for recording in kept)]) == sorted(stems)
        assert sum(recording.total_bytes for recording in kept) + reserved_bytes <= max_bytes or not kept
        ages_min = dict(zip(stems, (age for age, *_ in made), strict=True))
        assert all(ages_min[recording.stem] / 1440 <= max_age_days for recording in kept)
        assert max((ages_min[recording.stem] for recording in kept), default=-60) <= min(
            (ages_min[stem] for stem in removed), default=5000
        )
        assert {path.name for path in folder.iterdir() if path.suffix not in (".wav", ".json")} >= {"notes.txt"}
        assert all((folder / foreign).stat().st_size == 300 for foreign in NOT_OURS)


@settings(max_examples=50, deadline=None)
@given(recordings, st.integers(0, 4000))
def test_no_more_is_removed_than_the_size_asks_for(made: list[tuple[int, int, int]], max_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (age, *sizes) in enumerate(made, 1):
            make(folder, age, number, *sizes)
        before = list_recordings_kept(folder)
        removed = prune(folder, Retention(1e9, max_bytes, 1), NOW)
        if removed:
            stayed_bytes = sum(recording.total_bytes for recording in before[len(removed) :])
            assert stayed_bytes + before[len(removed) - 1].total_bytes > max_bytes


def test_the_files_of_a_session_go_in_their_order_whatever_the_minute(tmp_path: Path) -> None:
    stems = [make(tmp_path, 0, number, 10, 0) for number in (9999, 10000, 2)]
    assert prune(tmp_path, Retention(7, 15, 1), NOW) == [stems[2], stems[0]]


def test_links_folders_and_pipes_with_our_names_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (tmp_path / "precious.wav").write_bytes(bytes(1000))
    link, inner, pipe = (folder / f"{stem_from_start(NOW, SESSION_ID, number)}.wav" for number in (1, 2, 3))
    link.symlink_to(tmp_path / "precious.wav")
    inner.mkdir()
    os.mkfifo(pipe)
    assert prune(folder, Retention(0.0, 0, 1), NOW + timedelta(days=1)) == []
    assert (link.is_symlink(), inner.is_dir(), pipe.is_fifo()) == (True, True, True)
    assert (tmp_path / "precious.wav").stat().st_size == 1000


def test_what_any_program_is_writing_stays_and_counts(tmp_path: Path) -> None:
    old = stem_from_start(NOW - timedelta(days=30), SESSION_ID, 1)
    wave = GrowingWave(tmp_path / f"{old}.wav", 4000)
    (tmp_path / f"{old}.json.partial").write_bytes(bytes(10))
    young = make(tmp_path, 0, 2, 100, 0)
    assert prune(tmp_path, Retention(7, 120, 1), NOW) == [young]
    wave.close()
    assert prune(tmp_path, Retention(7, 120, 1), NOW) == [old]
    assert list(tmp_path.iterdir()) == []


def test_an_absent_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        prune(tmp_path / "none", Retention(), NOW)
