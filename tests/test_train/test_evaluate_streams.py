"""Whole recordings heard without cycle marks: what is counted, and that nobody is measured who was trained on."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge.breath_events import EventRules
from edge.labels import LABELS
from edge.quality import Quality, Reason
from edge.results import Result
from edge.signal.spec import AUDIOSET
from train.checkpoint import Checkpoint, save_checkpoint
from train.evaluate_streams import main
from train.event_figures import event_figures
from train.heard import HeardRecording
from train.icbhi import read_icbhi
from train.network import NetworkConfig, RespireNetwork
from train.splits import patient_fold
from train.stream_figures import (
    CycleDecision,
    cycle_decisions,
    decision_figures,
    nearest_window,
    overlapping_windows,
)

FIT = Quality(())
REFUSED = Quality((Reason("gap", 1.0, 0.0, "s"),))


def result(start_s: float, end_s: float, label: str, sure: float = 0.7, quality: Quality = FIT, **more: Any) -> Result:
    probabilities = {name: sure if name == label else (1 - sure) / 3 for name in LABELS}
    said = label if quality.ok else None
    return Result("r", "meditron", start_s, end_s, said, probabilities, quality, "m", "e", 0.0, **more)


def heard(windows: Sequence[Result], *cycles: tuple[float, float, str, str], patient: str = "101") -> HeardRecording:
    """Cycles as start, end, annotated label and the label given with the marks."""
    marked = tuple(result(start, end, given, annotated=annotated) for start, end, annotated, given in cycles)
    return HeardRecording(patient, "Meditron", 20.0, marked, tuple(windows))


def test_the_nearest_window_is_the_one_with_the_nearest_centre() -> None:
    windows = [result(0, 7, "normal"), result(1, 8, "crackle"), result(2, 9, "wheeze")]
    assert nearest_window(windows, 4.0, 5.2) == "crackle"
    assert nearest_window(windows, 8.0, 8.9) == "wheeze"


def test_windows_that_overlap_a_cycle_longer_count_for_more() -> None:
    windows = [result(0, 7, "normal"), result(6, 13, "wheeze")]
    assert overlapping_windows(windows, 3.0, 7.0) == "normal"
    assert overlapping_windows(windows, 6.0, 10.0) == "wheeze"


def test_a_cycle_of_which_nothing_fit_was_heard_has_no_decision() -> None:
    windows = [result(0, 7, "normal", quality=REFUSED), result(10, 17, "wheeze")]
    for decide in (nearest_window, overlapping_windows):
        assert decide(windows, 3.0, 5.0) is None
        assert decide([], 3.0, 5.0) is None


def test_each_annotated_cycle_is_decided_once_each_way() -> None:
    recording = heard(
        [result(0, 7, "wheeze"), result(7, 14, "normal")],
        (0.0, 3.0, "wheeze", "crackle"),
        (3.0, 6.0, "wheeze", "wheeze"),
        (8.0, 11.0, "normal", "normal"),
    )
    decisions = cycle_decisions(recording)
    assert [decision.annotated for decision in decisions] == ["wheeze", "wheeze", "normal"]
    assert [decision.given["marked"] for decision in decisions] == ["crackle", "wheeze", "normal"]
    assert [decision.given["nearest"] for decision in decisions] == ["wheeze", "wheeze", "normal"]
    assert [decision.mixed for decision in decisions] == [False, True, True]


def decision(patient: str, annotated: str, marked: str | None, streamed: str | None) -> CycleDecision:
    given = {"marked": marked, "nearest": streamed, "overlapping": streamed}
    return CycleDecision(patient, "Meditron", annotated, given, mixed=False)


def test_the_gap_is_of_the_two_scores() -> None:
    decisions = [
        decision("101", "normal", "normal", "normal"),
        decision("101", "crackle", "crackle", None),
        decision("102", "normal", "wheeze", "normal"),
        decision("102", "wheeze", "wheeze", "both"),
    ]
    figures = decision_figures(decisions)
    assert (figures["cycles"], figures["patients"]) == (4, 2)
    assert figures["marked"] == {"score": 0.75, "specificity": 0.5, "sensitivity": 1.0}
    assert figures["nearest"] == {"score": 0.5, "specificity": 1.0, "sensitivity": 0.0}
    gap = figures["gap"]["nearest"]
    assert gap["points"] == 0.25
    # Drawing the first patient twice, and the second twice.
    assert (gap["low"], gap["high"]) == (0.0, 0.5)


def test_without_an_abnormal_cycle_there_is_no_gap() -> None:
    figures = decision_figures([decision("101", "normal", "normal", "normal")])
    assert figures["marked"]["score"] is None
    assert figures["gap"]["nearest"]["points"] is None


def test_events_are_held_against_stretches_of_touching_cycles() -> None:
    windows = [result(n, n + 7, "wheeze" if 2 <= n < 5 else "normal", sure=0.9) for n in range(14)]
    recording = heard(  # the event lasts from 5 s to 8 s
        windows,
        (0.0, 2.0, "normal", "normal"),
        (5.0, 6.0, "wheeze", "wheeze"),
        (6.0, 7.0, "wheeze", "wheeze"),
        (7.0, 8.0, "crackle", "crackle"),
        (8.0, 10.0, "normal", "normal"),
        (12.0, 15.0, "wheeze", "wheeze"),
    )
    assert event_figures([recording], EventRules()) == {
        "minutes": 0.3,
        "stretches": 3,
        "found": round(2 / 3, 4),
        "named": round(1 / 3, 4),
        "events": 1,
        "false_events_per_minute": 0.0,
        "abnormal_time_in_events": 0.5,
        "normal_time_in_events": 0.0,
    }


def test_an_event_beside_all_abnormal_cycles_is_false() -> None:
    windows = [result(n, n + 7, "wheeze" if 2 <= n < 5 else "normal", sure=0.9) for n in range(14)]
    figures = event_figures(
        [heard(windows, (5.0, 8.0, "normal", "normal"), (12.0, 15.0, "wheeze", "wheeze"))], EventRules()
    )
    assert (figures["found"], figures["false_events_per_minute"]) == (0.0, 3.0)
    assert figures["normal_time_in_events"] == 1.0


@pytest.fixture(scope="module")
def folds(icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a cross-validation of random networks leaves behind: Meditron has a stage 2, Litt3200 has none."""
    out = tmp_path_factory.mktemp("cross")
    recordings = read_icbhi(icbhi_folder)
    for fold in range(2):
        trained_on = sorted({each.patient for each in patient_fold(recordings, fold, 2).training})
        for number, name in enumerate(("common", "Meditron")):
            save(out / f"fold-{fold}" / name / "last", trained_on, seed=10 * fold + number)
    return out


def save(folder: Path, trained_on: Sequence[str], seed: int) -> None:
    torch.manual_seed(seed)
    config = NetworkConfig(depth=18, width=0.125, in_channels=1)
    run = {"patients": {"icbhi": {"training": list(trained_on), "validation": [], "test": []}}}
    weights = RespireNetwork(config).state_dict()
    save_checkpoint(folder, Checkpoint(config, AUDIOSET, (97.0,), (61.0,), weights, run, {}))


def test_each_patient_is_heard_once_by_networks_that_never_heard_them(
    folds: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(icbhi_folder), "--folds", str(folds), "--report", str(tmp_path / "report.json")]
    assert main(arguments) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    cycles = report["cycles"]
    assert (cycles["all"]["cycles"], cycles["all"]["patients"]) == (32, 8)
    assert cycles["chosen on"]["cycles"] + cycles["measured on"]["cycles"] == 32
    assert cycles["beside another class"]["cycles"] == 32
    assert {name: cycles[name]["cycles"] for name in ("Litt3200", "Meditron")} == {"Litt3200": 16, "Meditron": 16}
    # Recordings of six seconds: windows of five begin at 0 and at 1 s.
    assert report["windows"] == 8 * 2
    assert report["events"]["all"]["as listen"]["minutes"] == round(8 * 6 / 60, 1)
    assert "icbhi (subset)" in capsys.readouterr().out


def test_windows_of_a_breath_are_more(folds: Path, icbhi_folder: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(icbhi_folder), "--folds", str(folds), "--report", str(tmp_path / "report.json")]
    assert main([*arguments, "--breath", "2"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["windows"], report["breath_s"]) == (8 * 5, 2.0)


def refusal(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    return message


def test_a_network_that_heard_a_patient_is_refused(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = sorted({each.patient for each in read_icbhi(icbhi_folder)})
    for fold in range(2):
        save(tmp_path / f"fold-{fold}" / "common" / "last", everybody, seed=fold)
    message = refusal(["--data", str(icbhi_folder), "--folds", str(tmp_path)], capsys)
    assert "was trained on patient" in message


def test_a_network_that_does_not_say_whom_it_heard_is_refused(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "fold-0" / "common" / "last", [], seed=0)
    save(tmp_path / "fold-1" / "common" / "last", [], seed=0)
    assert "on whom it was trained" in refusal(["--data", str(icbhi_folder), "--folds", str(tmp_path)], capsys)


def test_a_folder_without_folds_is_refused(
    icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no fold-0" in refusal(["--data", str(icbhi_folder), "--folds", str(tmp_path)], capsys)


def test_the_released_bundles_are_measured_on_nobody_they_were_trained_on(
    repository: Path, icbhi_folder: Path, tmp_path: Path
) -> None:
    manifest = json.loads((repository / "models" / "common" / "manifest.json").read_text())
    trained_on = set(manifest["training_run"]["patients"]["icbhi"]["training"])
    everybody = {each.patient for each in read_icbhi(icbhi_folder)}
    report_path = tmp_path / "report.json"
    assert main(["--data", str(icbhi_folder), "--report", str(report_path)]) == 0
    report = json.loads(report_path.read_text())
    assert report["cycles"]["all"]["patients"] == len(everybody - trained_on) < len(everybody)
    for way in ("marked", "nearest", "overlapping"):
        score = report["cycles"]["all"][way]["score"]
        assert score is None or 0 <= score <= 1
    assert np.isfinite(report["events"]["all"]["as listen"]["minutes"])


def test_an_operating_point_decides_windows_events_and_cycles_alike() -> None:
    windows = [result(n, n + 7, "normal", sure=0.5) for n in range(6)]
    labelled = [replace(window, label="crackle") for window in windows]
    pointed = replace(heard(labelled, (2.0, 4.0, "crackle", "crackle")), abnormal_threshold=0.3)
    assert event_figures([pointed], EventRules())["found"] == 1
    assert event_figures([replace(pointed, abnormal_threshold=None)], EventRules())["events"] == 0
    assert overlapping_windows(windows, 2.0, 4.0, 0.3) == "crackle"
    assert overlapping_windows(windows, 2.0, 4.0) == "normal"


def test_a_threshold_may_be_tried_that_the_bundle_has_not(
    folds: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_path = tmp_path / "report.json"
    arguments = ["--data", str(icbhi_folder), "--folds", str(folds), "--report", str(report_path)]
    assert main([*arguments, "--abnormal-threshold", "0.0001"]) == 0
    report = json.loads(report_path.read_text())
    assert report["abnormal_thresholds"] == [0.0001]
    assert report["cycles"]["all"]["marked"]["specificity"] == 0
    assert "opening at the threshold" in report["events"]["all"]
    assert "abnormal from 0.0001 on" in capsys.readouterr().out
    assert "careful" in refusal([*arguments, "--operating-point", "careful"], capsys)
