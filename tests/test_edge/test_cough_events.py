"""Coughs are told once each, with their times, in `listen` and `score`, and counted an hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.audio.recording import RecordingSource
from edge.cough_events import NAME, events_from_coughs, per_hour
from edge.coughs_and_voices.coughs import Cough
from edge.view.event_words import words_of_event

RECORDING = "icbhi/audio_and_txt_files/139_1b1_Pr_sc_Litt3200.flac"
COUGHS = 6
RunCommand = Callable[..., Any]
DURATION_S = 16.2


def test_a_cough_is_an_event_with_its_times() -> None:
    (event,) = events_from_coughs([Cough(1.23, 1.68)], "demo", "meditron")
    assert (event.name, event.source, event.start_s, event.end_s) == ("cough", "demo", 1.23, 1.68)
    assert words_of_event(event) == "cough for 0.5 s" or words_of_event(event) == "cough for 0.4 s"


def test_a_rate_needs_some_sound() -> None:
    assert per_hour(6, 1800) == 12
    assert per_hour(0, 0) == 0


@pytest.mark.parametrize("hop_s", ["1", "7"])
def test_score_tells_each_cough_once_and_counts_them_an_hour(
    run_command: RunCommand, shared_data: Path, hop_s: str
) -> None:
    ran = run_command("score", shared_data / RECORDING, "--device", "auto", "--hop", hop_s)
    coughs = [event for event in ran.events if event["event"] == NAME]
    assert len(coughs) == COUGHS
    assert all(event["start_s"] < event["end_s"] for event in coughs)
    (file,) = ran.of_kind("file")
    assert file["coughs"] == COUGHS
    assert file["coughs_per_hour"] == pytest.approx(3600 * COUGHS / file["sound_s"], abs=0.1)
    assert f"coughs: {COUGHS} (" in ran.err


def test_windows_with_coughs_or_talk_get_no_label(run_command: RunCommand, shared_data: Path) -> None:
    ran = run_command("score", shared_data / RECORDING, "--device", "auto", "--hop", "1")
    assert all(result["label"] is None for result in ran.results)
    names = {reason["name"] for result in ran.results for reason in result["quality"]["reasons"]}
    assert names >= {"cough", "voice"}


def test_listening_tells_the_same_coughs_as_scoring(run_command: RunCommand, shared_data: Path) -> None:
    path = shared_data / RECORDING
    scored = run_command("score", path, "--device", "auto")
    heard = run_command("listen", "--device", "littmann3200", "--source", path)
    times = [[(e["start_s"], e["end_s"]) for e in ran.events if e["event"] == NAME] for ran in (scored, heard)]
    assert times[0] == times[1]
    with RecordingSource(path) as source:
        assert source.duration_s == pytest.approx(DURATION_S, abs=0.1)
