"""What begins, survives and ends a breath sound in a stream of results, and what `listen` tells of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audio.source import open_source
from edge.breath_events import (
    ABNORMAL,
    EventRules,
    TrackingState,
    events_from_results,
    finish_tracking,
    track,
)
from edge.events import Event
from edge.labels import LABELS
from edge.quality import Quality, Reason
from edge.results import Result

RunCommand = Callable[..., Any]

WINDOW_S = 7.0
RULES = EventRules(open_probability=0.6, close_probability=0.4, patience_windows=1, min_duration_s=2.0)
FIT = Quality(())
CLIPPED = Quality((Reason("clipping", 0.5, 0.01, "share"),))


def window(start_s: float, quality: Quality = FIT, **given: float) -> Result:
    probabilities = {label: given.get(label, 0.0) for label in LABELS}
    probabilities["normal"] = 1 - sum(probabilities[label] for label in ABNORMAL)
    label = max(LABELS, key=lambda name: probabilities[name]) if quality.ok else None
    return Result(
        source="stream",
        device="meditron",
        start_s=start_s,
        end_s=start_s + WINDOW_S,
        label=label,
        probabilities=probabilities,
        quality=quality,
        model="meditron@0000",
        engine="none",
        latency_ms=1.0,
    )


def wheezing(probabilities: Sequence[float | None], hop_s: float = 1.0) -> list[Result]:
    """One window every hop with these probabilities of a wheeze; None: a window that was refused."""
    return [
        window(hop_s * n, CLIPPED, wheeze=0.99) if wheeze is None else window(hop_s * n, wheeze=wheeze)
        for n, wheeze in enumerate(probabilities)
    ]


def spans(events: Sequence[Event]) -> list[tuple[float, float]]:
    return [(event.start_s, event.end_s) for event in events]


def test_an_event_lasts_while_the_centres_of_its_windows_do() -> None:
    (event,) = events_from_results(wheezing([0, 0.1, 0.7, 0.9, 0.8, 0.1, 0, 0]), RULES)
    # Centres at 5.5, 6.5 and 7.5 s, each speaking for half a second to either side.
    assert (event.start_s, event.end_s) == (5.0, 8.0)
    assert (event.name, event.source) == ("breath-sound", "stream")
    assert event.fields == {
        "device": "meditron",
        "label": "wheeze",
        "peak_probability": 0.9,
        "mean_probability": 0.8,
        "windows": 3,
        "model": "meditron@0000",
    }


def test_the_first_window_speaks_for_all_before_it_and_the_last_for_all_after_it() -> None:
    assert spans(events_from_results(wheezing([0.9, 0.9, 0.9]), RULES)) == [(0.0, 9.0)]
    assert spans(events_from_results(wheezing([0.9]), RULES)) == [(0.0, 7.0)]
    assert spans(events_from_results(wheezing([0.9, 0.9, 0, 0, 0]), RULES)) == [(0.0, 5.0)]


def test_it_opens_at_a_higher_probability_than_it_closes() -> None:
    assert events_from_results(wheezing([0, 0.5, 0.59, 0.5, 0.5, 0]), RULES) == []
    assert spans(events_from_results(wheezing([0, 0.6, 0.4, 0.4, 0.4, 0.39, 0.39]), RULES)) == [(4.0, 8.0)]


def test_it_survives_as_many_windows_as_its_patience_and_not_one_more() -> None:
    assert spans(events_from_results(wheezing([0, 0.9, 0.9, 0.1, 0.9, 0.9, 0, 0]), RULES)) == [(4.0, 9.0)]
    twice = events_from_results(wheezing([0, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0, 0]), RULES)
    assert spans(twice) == [(4.0, 6.0), (8.0, 10.0)]


def test_patience_is_for_windows_in_a_row() -> None:
    (event,) = events_from_results(wheezing([0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0, 0]), RULES)
    assert event.fields["windows"] == 4


def test_windows_that_were_survived_count_in_no_figure() -> None:
    (event,) = events_from_results(wheezing([0, 0.9, 0.1, 0.7, 0, 0]), RULES)
    assert (event.fields["mean_probability"], event.fields["windows"]) == (0.8, 2)
    (event,) = events_from_results(wheezing([0, 0.8, 0.8, None, 0.8, 0, 0]), RULES)
    assert (event.fields["peak_probability"], event.fields["windows"]) == (0.8, 3)


def test_a_refused_window_opens_nothing_whatever_its_probabilities() -> None:
    assert events_from_results(wheezing([None] * 10), RULES) == []


def test_refused_windows_end_an_event_that_runs_out_of_patience() -> None:
    assert spans(events_from_results(wheezing([0, 0.9, 0.9, *[None] * 9]), RULES)) == [(4.0, 6.0)]


def test_an_event_shorter_than_the_least_duration_is_dropped() -> None:
    assert events_from_results(wheezing([0, 0.9, 0, 0, 0]), RULES) == []
    assert len(events_from_results(wheezing([0, 0.9, 0.9, 0, 0]), RULES)) == 1


def test_classes_are_followed_apart() -> None:
    windows = [window(n, wheeze=w, crackle=c) for n, (w, c) in enumerate([(0.9, 0), (0.5, 0.5), (0.4, 0.6), (0, 0.9)])]
    events = events_from_results(windows, RULES)
    assert {event.fields["label"]: (event.start_s, event.end_s) for event in events} == {
        "wheeze": (0.0, 6.0),
        "crackle": (5.0, 10.0),
    }


def test_an_event_is_told_with_the_window_that_ends_it() -> None:
    state, told = TrackingState(), []
    for result in wheezing([0, 0.9, 0.9, 0.1, 0.1, 0]):
        events, state = track(result, state, RULES)
        told.append(len(events))
    assert told == [0, 0, 0, 0, 1, 0]
    assert finish_tracking(state, RULES) == []


def test_a_stream_without_a_window_has_no_event() -> None:
    assert finish_tracking(TrackingState(), RULES) == []


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=40), st.integers(0, 3), st.floats(0, 5), st.floats(0.2, 3)
)
def test_events_are_what_their_rules_say(
    probabilities: list[float | None], patience: int, min_duration_s: float, hop_s: float
) -> None:
    rules = EventRules(0.6, 0.4, patience, min_duration_s)
    windows = wheezing(probabilities, hop_s)
    events = events_from_results(windows, rules)
    supported = [p for p in probabilities if p is not None and p >= rules.close_probability]
    assert sum(int(str(event.fields["windows"])) for event in events) <= len(supported)
    for event in events:
        assert 0 <= event.start_s <= event.end_s <= windows[-1].end_s
        assert event.end_s - event.start_s >= min_duration_s
        assert float(str(event.fields["peak_probability"])) >= 0.6 - 1e-4
        assert float(str(event.fields["mean_probability"])) >= 0.4 - 1e-4
        assert event.fields["label"] == "wheeze"
    for one, other in pairwise(events):
        assert one.end_s <= other.start_s


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"open_probability": 0.2}, "open_probability 0.2"),
        ({"close_probability": 0.0}, "close_probability 0.0"),
        ({"open_probability": 1.1}, "open_probability 1.1"),
        ({"open_probability": math.nan}, "open_probability nan"),
        ({"patience_windows": -1}, "patience_windows -1"),
        ({"min_duration_s": -0.5}, "min_duration_s -0.5"),
    ],
)
def test_impossible_rules_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EventRules(**wrong)


DEMO = ("listen", "--device", "meditron", "--source", "demo", "--no-realtime")
"""Simulated auscultation: a sound that quality lets pass."""


@pytest.fixture
def sure_bundle(edited_bundle: Callable[..., Path]) -> Path:
    """The tiny bundle, calibrated so that it is surer of what it hears than it is by itself."""
    return edited_bundle(lambda manifest: manifest.update(temperature={"value": 0.2, "fitted_on": "own"}))


def expected_events(results: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    read = [
        window(result["start_s"], FIT if result["quality"]["ok"] else CLIPPED, **result["probabilities"])
        for result in results
    ]
    return sorted(
        (event.start_s, event.end_s, event.fields["label"], event.fields["windows"])
        for event in events_from_results(read, EventRules())
    )


def test_listen_tells_the_events_of_its_results_each_once_it_has_ended(
    run_command: RunCommand, sure_bundle: Path
) -> None:
    ran = run_command(*DEMO, "--model", sure_bundle)
    told = sorted((event["start_s"], event["end_s"], event["label"], event["windows"]) for event in ran.events)
    assert told == expected_events(ran.results)
    assert len(told) >= 2
    for event in ran.events:
        assert (event["event"], event["device"], event["source"]) == ("breath-sound", "meditron", "demo (simulated)")
        assert event["model"] == ran.results[0]["model"]
    records = [json.loads(line) for line in ran.out.splitlines()]
    first = next(n for n, record in enumerate(records) if record["record"] == "event")
    assert 0 < first < len(records) - 1, "not all told at the end"
    assert records[first - 1]["end_s"] > records[first]["end_s"]


def test_listen_tells_what_still_sounds_when_the_source_ends(
    run_command: RunCommand, sure_bundle: Path, write_sound: Callable[..., Path]
) -> None:
    with open_source("demo", realtime=False) as source:
        sound = np.concatenate([block.samples for block in source.blocks()])[: 12 * source.sample_rate_hz]
        start = write_sound("start.wav", sound, source.sample_rate_hz)
    ran = run_command(*DEMO[:3], "--source", start, "--no-realtime", "--model", sure_bundle)
    (event,) = ran.events
    assert (event["start_s"], event["end_s"], event["windows"]) == (0.0, 12.0, 6)
    assert json.loads(ran.out.splitlines()[-1])["record"] == "event"


def test_listen_puts_events_beside_a_table_of_results(
    run_command: RunCommand, sure_bundle: Path, tmp_path: Path
) -> None:
    plain = run_command(*DEMO, "--model", sure_bundle)
    run_command(*DEMO, "--model", sure_bundle, "--output", tmp_path / "out.csv")
    events = [json.loads(line) for line in (tmp_path / "out.events.jsonl").read_text().splitlines()]
    assert events == plain.events


def test_calibration_moves_the_probabilities_of_results_and_no_label(
    run_command: RunCommand, tiny_bundle: Path, sure_bundle: Path
) -> None:
    plain = run_command(*DEMO, "--model", tiny_bundle).results
    calibrated = run_command(*DEMO, "--model", sure_bundle).results
    assert [result["label"] for result in plain] == [result["label"] for result in calibrated]
    for one, other in zip(plain, calibrated, strict=True):
        expected = np.array(list(one["probabilities"].values())) ** 5
        np.testing.assert_allclose(list(other["probabilities"].values()), expected / expected.sum(), atol=2e-3)
        assert max(other["probabilities"].values()) > max(one["probabilities"].values())


def test_the_golden_check_looks_behind_the_calibration(
    run_command: RunCommand, edited_bundle: Callable[..., Path]
) -> None:
    folder = edited_bundle(lambda manifest: manifest.update(temperature={"value": 2.0}))
    ran = run_command("doctor", "--engine", "onnx", "--device", "meditron", "--model", folder)
    assert "✓ golden inputs" in ran.out
