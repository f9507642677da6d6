"""`respire-edge score`: files and folders, windows and annotated cycles, and the summary at its end."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.icbhi_score import IcbhiScore, icbhi_score
from edge.labels import LABELS
from edge.scoring.recording_list import list_recordings

Breathing = Callable[..., NDArray[np.float32]]
RunCommand = Callable[..., Any]
WriteSound = Callable[..., Path]

CYCLES = "0.2\t2.0\t0\t0\n2.0\t4.0\t1\t0\n4.0\t6.5\t0\t1\n6.5\t9.0\t1\t1\n"


@pytest.fixture
def folder(write_sound: WriteSound, breathing: Breathing, tmp_path: Path) -> Path:
    """Two stethoscopes' recordings with annotations, at two depths, beside things that are no recordings."""
    for index, name in enumerate(["102_1b1_Ar_sc_Litt3200.wav", "sub/101_1b1_Al_sc_Meditron.flac"]):
        path = write_sound(f"data/{name}", breathing(9 + index, seed=index))
        path.with_suffix(".txt").write_text(CYCLES)
    (tmp_path / "data" / "notes.md").write_text("no sound")
    (tmp_path / "data" / "._102_1b1_Ar_sc_Litt3200.wav").write_bytes(b"what another system leaves behind")
    return tmp_path / "data"


def test_a_folder_is_walked_in_order_and_what_is_no_recording_is_passed_over(
    run_command: RunCommand, folder: Path
) -> None:
    ran = run_command("score", folder, "--device", "meditron")
    assert ran.code == 0
    files = [folder / "102_1b1_Ar_sc_Litt3200.wav", folder / "sub" / "101_1b1_Al_sc_Meditron.flac"]
    assert [result["source"] for result in ran.results] == [str(file) for file in files for _ in range(2)]
    assert [result["start_s"] for result in ran.results] == [0, 2, 0, 3]


def test_auto_takes_the_stethoscope_from_each_file_name(run_command: RunCommand, folder: Path) -> None:
    ran = run_command("score", folder, "--device", "auto")
    assert [result["device"] for result in ran.results] == ["littmann3200"] * 2 + ["meditron"] * 2
    assert ran.err.splitlines()[0].startswith("respire-edge: no model of its own for littmann3200, meditron; using ")


def test_a_name_without_a_stethoscope_fails_alone(
    run_command: RunCommand, folder: Path, write_sound: WriteSound, breathing: Breathing
) -> None:
    write_sound("data/anna.wav", breathing(2))
    ran = run_command("score", folder, "--device", "auto")
    assert ran.code == 1
    assert len(ran.results) == 4
    assert "anna.wav: the file name does not end in an ICBHI device" in ran.err
    (error,) = ran.of_kind("error")
    assert error["source"] == str(folder / "anna.wav")
    assert "the file name does not end in an ICBHI device" in error["error"]


def test_each_recording_ends_with_what_came_of_it(run_command: RunCommand, folder: Path) -> None:
    ran = run_command("score", folder, "--device", "auto")
    first, second = ran.of_kind("file")
    assert (first["device"], first["sound_s"], first["windows"]) == ("littmann3200", 9.0, 2)
    assert (second["device"], second["sound_s"], second["windows"]) == ("meditron", 10.0, 2)
    for record in (first, second):
        own = [result for result in ran.results if result["source"] == record["source"]]
        labels = [result["label"] for result in own]
        assert record["labels"] == {label: labels.count(label) for label in LABELS}
        assert record["refused"] == labels.count(None)
        assert record["events"] == len([event for event in ran.events if event["source"] == record["source"]])
        assert record["model"] == own[0]["model"]


def test_every_cycle_gets_one_result_beside_its_annotation(run_command: RunCommand, folder: Path) -> None:
    ran = run_command("score", folder, "--device", "auto", "--cycles")
    assert ran.code == 0
    assert [result["cycle"] for result in ran.results] == [0, 1, 2, 3] * 2
    assert [result["annotated"] for result in ran.results] == ["normal", "crackle", "wheeze", "both"] * 2
    assert [(result["start_s"], result["end_s"]) for result in ran.results[:2]] == [(0.2, 2.0), (2.0, 4.0)]


def test_the_summary_gives_the_score_of_each_stethoscope_and_of_all(run_command: RunCommand, folder: Path) -> None:
    ran = run_command("score", folder, "--device", "auto", "--cycles")
    lines = {line.split()[0]: line for line in ran.err.splitlines() if line}
    for name in ("littmann3200", "meditron", "all"):
        own = [result for result in ran.results if name in ("all", result["device"])]
        score = icbhi_score((result["annotated"], result["label"]) for result in own)
        shares = [f"{share:.1%}" for share in (score.specificity, score.sensitivity, score.score) if share is not None]
        assert lines[name].split()[1:] == [str(len(own)), *shares]
    assert "2 recordings, 19 s of sound, 8 cycles" in ran.err


def test_icbhi_score_counts_exact_classes_and_a_missing_label_as_missed() -> None:
    pairs = [("normal", "normal"), ("normal", "both"), ("normal", None), ("normal", "normal")]
    pairs += [("crackle", "crackle"), ("crackle", "both"), ("wheeze", None), ("both", "both"), ("wheeze", "normal")]
    score = icbhi_score(pairs)
    assert score == IcbhiScore(normal=4, normal_hits=2, abnormal=5, abnormal_hits=2)
    assert (score.specificity, score.sensitivity, score.score) == (0.5, 0.4, 0.45)
    assert icbhi_score([("normal", "normal")]).score is None


def test_jobs_and_formats_change_nothing_but_the_time(run_command: RunCommand, folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.jsonl"
    assert run_command("score", folder, "--device", "auto", "--cycles", "--output", one).code == 0
    assert run_command("score", folder, "--device", "auto", "--cycles", "--jobs", "2", "--output", two).out == ""
    rows = list(csv.DictReader(one.read_text().splitlines()))
    lines = [json.loads(line) for line in two.read_text().splitlines()]
    records = [record for record in lines if record["record"] == "result"]
    assert [json.loads(line) for line in one.with_suffix(".events.jsonl").read_text().splitlines()] == [
        record for record in lines if record["record"] == "file"
    ]
    assert len(rows) == len(records) == 8
    for row, record in zip(rows, records, strict=True):
        assert (row["source"], row["label"]) == (record["source"], record["label"] or "")
        assert float(row["wheeze"]) == record["probabilities"]["wheeze"]


def test_a_second_of_sound_is_scored_by_repetition(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    ran = run_command("score", write_sound("short.wav", breathing(1)), "--device", "meditron")
    (result,) = ran.results
    assert (ran.code, result["start_s"], result["end_s"]) == (0, 0.0, 1.0)
    assert result["label"] is not None


def test_missing_annotations_fail_for_their_file_alone(run_command: RunCommand, folder: Path) -> None:
    (folder / "102_1b1_Ar_sc_Litt3200.txt").unlink()
    ran = run_command("score", folder, "--device", "auto", "--cycles")
    assert (ran.code, len(ran.results)) == (1, 4)
    assert "not scored: 1" in ran.err
    assert "102_1b1_Ar_sc_Litt3200.txt: cannot read the annotations" in ran.err


def test_annotations_of_another_recording_are_refused(run_command: RunCommand, folder: Path) -> None:
    (folder / "102_1b1_Ar_sc_Litt3200.txt").write_text("0 2 0 0\n8 12 0 0\n")
    ran = run_command("score", folder, "--device", "auto", "--cycles")
    assert (ran.code, len(ran.results)) == (1, 4)
    assert "cycle 2 lasts from 8.0 s to 12.0 s, but the recording ends at 9.000 s" in ran.err


def test_a_hop_longer_than_a_window_stops_before_anything_is_written(
    run_command: RunCommand, folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "kept.jsonl"
    target.write_text("kept")
    ran = run_command("score", folder, "--device", "auto", "--hop", "8", "--output", target)
    assert (ran.code, target.read_text()) == (2, "kept")
    assert ran.err.splitlines()[-1] == "respire-edge: a hop of 8 s is impossible; choose one above 0 and up to 7 s"


def test_each_file_is_scored_once_and_an_empty_folder_is_named(tmp_path: Path, folder: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    first = folder / "102_1b1_Ar_sc_Litt3200.wav"
    files, errors = list_recordings([first, folder, empty, first])
    assert files == [first, folder / "sub" / "101_1b1_Al_sc_Meditron.flac"]
    assert [str(error) for _, error in errors] == [
        f"{empty}: holds no .wav or .flac file; name a folder with recordings"
    ]


def test_a_file_under_several_names_is_scored_under_the_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "twin_Litt3200.wav").symlink_to("102_1b1_Ar_sc_Litt3200.wav")
    (folder / "round").symlink_to(folder)
    monkeypatch.chdir(folder)
    both = [Path("102_1b1_Ar_sc_Litt3200.wav"), Path("sub/101_1b1_Al_sc_Meditron.flac")]
    assert list_recordings([Path(), folder, folder / "sub" / ".."]) == (both, [])


def test_a_terminal_sees_a_progress_bar(folder: Path, models_folder: Path, tmp_path: Path) -> None:
    main_end, terminal = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "edge", "score", str(folder), "--device", "auto", "--output", str(tmp_path / "o.csv")],
        stderr=terminal,
        env=os.environ | {"TERM": "xterm", "RESPIRE_EDGE_MODELS": str(models_folder)},
        timeout=60,
        check=False,
    )
    os.close(terminal)
    seen = os.read(main_end, 65536).decode()
    os.close(main_end)
    assert ran.returncode == 0
    assert re.search(r"\[█+ +\] 1/2 files, about \d+ s left", seen)
    last = seen.rsplit("\x1b[J", 1)[1]
    assert "files, about" not in last
    assert "2 recordings" in last


def test_real_recordings_are_scored_cycle_by_cycle(run_command: RunCommand, shared_data: Path) -> None:
    recording = shared_data / "icbhi" / "audio_and_txt_files" / "102_1b1_Ar_sc_Meditron.flac"
    annotations = recording.with_suffix(".txt").read_text().splitlines()
    ran = run_command("score", recording, "--device", "auto", "--cycles")
    assert (ran.code, len(ran.results)) == (0, len(annotations))
    assert [result["start_s"] for result in ran.results] == [round(float(line.split()[0]), 4) for line in annotations]
    assert all(result["quality"]["ok"] for result in ran.results)
