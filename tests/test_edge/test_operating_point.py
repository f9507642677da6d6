"""An operating point decides what is called abnormal and results say which; a bundle without one is as before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.breath_events import EventRules, events_from_results
from edge.bundle import load_bundle
from edge.decision import decide
from edge.errors import BundleError
from edge.labels import LABELS
from edge.quality import Quality
from edge.results import Result
from edge.scoring.journal import Journal, begin_journal, journal_path
from edge.scoring.summary import Tally, summary_lines

Breathing = Callable[..., NDArray[np.float32]]
EditBundle = Callable[[Callable[[dict[str, Any]], None]], Path]
RunCommand = Callable[..., Any]
WriteSound = Callable[..., Path]

FIT = Quality(())
ALWAYS, NEVER = 0.0001, 0.9999
"""Thresholds that every, and no, window of the tiny bundle reaches."""

thresholds = st.floats(0.001, 0.999)
shares = st.lists(st.floats(0.001, 1), min_size=4, max_size=4)


def probabilities(parts: list[float]) -> NDArray[np.float64]:
    return np.array(parts) / sum(parts)


def points(**values: Any) -> dict[str, Any]:
    listed = {name: {"abnormal_threshold": value, "figures": {}} for name, value in values.items()}
    return {"default": next(iter(values)), "points": listed}


@pytest.fixture
def pointed_bundle(edited_bundle: EditBundle) -> Path:
    return edited_bundle(lambda manifest: manifest.update(operating_points=points(balanced=ALWAYS, specific=NEVER)))


@pytest.fixture
def recording(write_sound: WriteSound, breathing: Breathing) -> Path:
    return write_sound("breath_Meditron.wav", breathing(12))


@given(shares, thresholds, thresholds)
def test_a_higher_threshold_calls_nothing_more_abnormal(parts: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    given = probabilities(parts)
    if decide(given, FIT, high) != "normal":
        assert decide(given, FIT, low) == decide(given, FIT, high)


@given(shares, thresholds)
def test_abnormal_sound_gets_its_likeliest_abnormal_class(parts: list[float], threshold: float) -> None:
    given = probabilities(parts)
    label = decide(given, FIT, threshold)
    assert (label != "normal") == (1 - given[0] >= threshold)
    if label != "normal":
        assert given[LABELS.index(str(label))] == given[1:].max()


def test_at_the_threshold_sound_is_abnormal_and_of_equal_classes_the_first_counts() -> None:
    assert decide(np.array([0.5, 0.0, 0.25, 0.25]), FIT, 0.5) == "wheeze"


def window(start_s: float, abnormal: float, label: str) -> Result:
    given = {"normal": 1 - abnormal, "crackle": 0.0, "wheeze": abnormal, "both": 0.0}
    return Result("s", "meditron", start_s, start_s + 7, label, given, FIT, "m", "e", None)


@given(st.lists(st.floats(0, 1), max_size=20), thresholds, thresholds)
def test_a_higher_threshold_puts_no_more_time_into_events(values: list[float], one: float, other: float) -> None:
    def inside_s(threshold: float) -> float:
        labelled = [window(n, value, "wheeze" if value >= threshold else "normal") for n, value in enumerate(values)]
        told = events_from_results(labelled, EventRules(abnormal_threshold=threshold))
        return sum(event.end_s - event.start_s for event in told)

    low, high = sorted((one, other))
    assert inside_s(high) <= inside_s(low) + 1e-9


def test_an_event_begins_above_the_threshold_and_survives_below_it() -> None:
    values = [0.3, 0.45, 0.55, 0.35, 0.35, 0.25, 0.25]
    labelled = [window(n, value, "wheeze" if value >= 0.4 else "normal") for n, value in enumerate(values)]
    (event,) = events_from_results(labelled, EventRules(abnormal_threshold=0.4))
    assert (event.fields["label"], event.fields["windows"]) == ("wheeze", 3)


@pytest.mark.parametrize("threshold", [0.02, 0.98])
def test_events_begin_and_end_at_extreme_thresholds_too(threshold: float) -> None:
    values = [1.0] * 4 + [0.0] * 4
    labelled = [window(n, value, "wheeze" if value else "normal") for n, value in enumerate(values)]
    (event,) = events_from_results(labelled, EventRules(abnormal_threshold=threshold))
    assert event.fields["windows"] == 4


@pytest.mark.parametrize("command", ["listen", "score"])
def test_the_default_point_or_the_one_asked_for_decides_and_results_say_which(
    run_command: RunCommand, pointed_bundle: Path, recording: Path, command: str
) -> None:
    asked = [command, *(["--no-realtime", "--source"] if command == "listen" else []), recording]
    asked += ["--device", "meditron", "--model", pointed_bundle]
    by_default, specific = run_command(*asked), run_command(*asked, "--operating-point", "specific")
    assert {result["operating_point"] for result in by_default.results} == {"balanced"}
    assert {result["operating_point"] for result in specific.results} == {"specific"}
    assert "normal" not in {result["label"] for result in by_default.results}
    assert {result["label"] for result in specific.results} == {"normal"}
    for one, other in zip(by_default.results, specific.results, strict=True):
        assert one["probabilities"] == other["probabilities"]
    breaths = [event for event in by_default.events if event["event"] == "breath-sound"]
    assert breaths
    assert not [event for event in specific.events if event["event"] == "breath-sound"]


def test_several_processes_score_at_the_same_point(
    run_command: RunCommand, pointed_bundle: Path, write_sound: WriteSound, breathing: Breathing, tmp_path: Path
) -> None:
    for number in range(3):
        write_sound(f"data/{number}.wav", breathing(8, seed=number))
    asked = ["score", tmp_path / "data", "--device", "meditron", "--model", pointed_bundle]
    asked += ["--operating-point", "specific"]
    assert run_command(*asked, "--jobs", "2").out == run_command(*asked).out


def test_a_table_has_the_point_in_its_last_column(
    run_command: RunCommand, pointed_bundle: Path, recording: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    run_command("score", recording, "--device", "meditron", "--model", pointed_bundle, "--output", output)
    heading, *rows = (line.split(",") for line in output.read_text().splitlines())
    assert heading[-1] == "operating_point"
    assert {row[-1] for row in rows} == {"balanced"}


@pytest.mark.parametrize("command", ["listen", "score"])
def test_without_points_labels_are_as_before_and_asking_for_one_is_refused(
    run_command: RunCommand, recording: Path, command: str
) -> None:
    asked = [command, *(["--no-realtime", "--source"] if command == "listen" else []), recording]
    plain = run_command(*asked, "--device", "meditron")
    for result in plain.results:
        assert result["operating_point"] is None
        assert result["label"] in (None, max(LABELS, key=lambda label: result["probabilities"][label]))
    refused = run_command(*asked, "--device", "meditron", "--operating-point", "sensitive")
    assert refused.code == 2
    assert refused.err.splitlines()[-1].endswith("has no operating points; leave it out")


def test_an_unknown_point_is_refused_by_naming_the_known(
    run_command: RunCommand, pointed_bundle: Path, recording: Path
) -> None:
    ran = run_command("score", recording, "--device", "meditron", "--model", pointed_bundle, "--operating-point", "x")
    assert ran.code == 2
    assert "has balanced, specific; choose one of them" in ran.err


def test_resume_refuses_another_point_and_takes_the_default_by_its_name(
    run_command: RunCommand, pointed_bundle: Path, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    asked = ["score", recording, "--device", "meditron", "--model", pointed_bundle]
    run_command(*asked, "--output", whole)
    head: list[Any] = []

    def noted(path: Path, said: Any) -> Journal:
        head.append(said)
        return begin_journal(path, said)

    with monkeypatch.context() as patched:  # what is written at the start of a run that is then cut off
        patched.setattr("edge.score.begin_journal", noted)
        run_command(*asked, "--output", output)
    output.write_bytes(b"")
    begin_journal(journal_path(output), head[0]).close()
    refused = run_command(*asked, "--output", output, "--resume", "--operating-point", "specific")
    assert refused.code == 2
    assert "was asked otherwise (operating point)" in refused.err
    assert run_command(*asked, "--output", output, "--resume", "--operating-point", "balanced").code == 0
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ([], "must have a 'default' and 'points'"),
        ({"default": "a", "points": {}}, "lists no point"),
        ({**points(a=0.5), "default": "b"}, "the default 'b' is none of ['a']"),
        ({"default": "a", "points": {"a": 0.5}}, "'a' must have an 'abnormal_threshold' and 'figures'"),
        (points(a=0), "'a' must have a threshold between 0 and 1, not 0"),
        (points(a=1.0), "not 1.0"),
        (points(a=float("nan")), "not nan"),
        (points(a="0.5"), "not '0.5'"),
        (points(**{"": 0.5}), "'' is no name"),
        (points(**{"a b": 0.5}), "'a b' is no name"),
        (points(**{"a\x1b[31m\n": 0.5}), "'a\\x1b[31m\\n' is no name"),
    ],
)
def test_points_that_are_none_are_refused_in_one_line(edited_bundle: EditBundle, entry: Any, said: str) -> None:
    folder = edited_bundle(lambda manifest: manifest.update(operating_points=entry))
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_kept_recording_says_at_which_point_it_was_labelled(
    run_command: RunCommand, pointed_bundle: Path, recording: Path, tmp_path: Path
) -> None:
    asked = ["listen", "--device", "meditron", "--source", recording, "--no-realtime", "--model", pointed_bundle]
    assert run_command(*asked, "--record", tmp_path / "kept").code == 0
    (sidecar,) = (tmp_path / "kept").glob("*.json")
    assert json.loads(sidecar.read_text())["operating_point"] == "balanced"


def test_the_report_has_the_figures_in_the_bundle_of_its_points(
    run_command: RunCommand, edited_bundle: EditBundle, recording: Path, tmp_path: Path
) -> None:
    entry = points(sensitive=0.3)
    entry["points"]["sensitive"]["figures"] = {
        "two_class": {"specificity": 0.41, "sensitivity": 0.82},
        "four_class": {"sensitivity": 0.37},
    }
    folder = edited_bundle(lambda manifest: manifest.update(operating_points=entry))
    page = tmp_path / "page.html"
    run_command("score", recording, "--device", "meditron", "--model", folder, "--report", page)
    for share in ("41 %", "82 %", "37 %"):
        assert f"<td>{share}</td>" in page.read_text()


def test_the_report_says_at_which_point(
    run_command: RunCommand, pointed_bundle: Path, recording: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    run_command("score", recording, "--device", "meditron", "--model", pointed_bundle, "--report", page)
    assert "operating point balanced" in page.read_text()


def test_the_summary_of_score_says_at_which_point(
    run_command: RunCommand, pointed_bundle: Path, recording: Path
) -> None:
    asked = ["score", recording, "--device", "meditron"]
    ran = run_command(*asked, "--model", pointed_bundle, "--operating-point", "specific")
    assert "operating point: specific" in ran.err.splitlines()
    assert "operating point" not in run_command(*asked).err


def test_the_summary_tells_points_that_differ_by_stethoscope() -> None:
    lines = list(summary_lines(Tally([]), 1.0, {"meditron": "balanced", "littmann3200": "own"}))
    assert lines[-1] == "operating points: littmann3200 own, meditron balanced"


def test_doctor_lists_the_points_of_a_model(run_command: RunCommand, pointed_bundle: Path) -> None:
    shown = run_command("doctor", "--model", pointed_bundle).out
    assert "as packed; operating points balanced (default), specific\n" in shown
    report = json.loads(run_command("doctor", "--model", pointed_bundle, "--json").out)
    (found,) = (each["fields"] for each in report["findings"] if each["name"].startswith("model "))
    assert found["operating_points"] == ["balanced", "specific"]
    assert found["default_operating_point"] == "balanced"


def test_bench_says_at_which_point_it_decided(run_command: RunCommand, pointed_bundle: Path) -> None:
    first = run_command("bench", "--model", pointed_bundle, "--seconds", "30").out.splitlines()[0]
    assert ", operating point balanced, 1 thread" in first
