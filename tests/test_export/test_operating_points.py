"""Thresholds chosen from saved answers keep what their names promise, and a packed bundle carries them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import load_bundle
from edge.decision import calibrate, decide
from edge.labels import LABELS
from edge.quality import Quality
from export import operating_points, pack
from export.errors import OperatingPointError
from export.reliability import Answers
from export.threshold_choice import GRID, POINTS, choose_thresholds, figures_at, held_out_figures, predict
from train.answers import Answers as FileOfAnswers
from train.answers import write_answers

PATIENTS = 12


def answers(seed: int = 0, cycles: int = 600, skill: float = 1.5) -> Answers:
    """Answers of a network that hears normal sound too often, as most do."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, cycles, p=[0.6, 0.2, 0.15, 0.05])
    labels[:2] = [0, 1]
    logits = rng.normal(0, 1, (cycles, 4)) + skill * np.eye(4)[labels] + [1.5, 0, 0, -1]
    powers = np.exp(logits)
    names = np.array([f"icbhi/{100 + number % PATIENTS}" for number in range(cycles)])
    return Answers(powers / powers.sum(axis=1, keepdims=True), labels.astype(np.int64), names)


def file_of(found: Answers, dataset: str = "icbhi") -> FileOfAnswers:
    size = len(found.labels)
    patients = np.array([name.split("/")[1] for name in found.patients])
    recordings = np.array([f"{name}_Meditron" for name in patients])
    devices = np.full(size, "Meditron")
    return FileOfAnswers(dataset, patients, devices, recordings, np.arange(size), found.labels, found.probabilities)


@given(st.integers(0, 10_000), st.floats(0.001, 0.999))
@settings(max_examples=20)
def test_predictions_are_the_devices_decisions(seed: int, threshold: float) -> None:
    found = answers(seed, cycles=20)
    said = [LABELS[label] for label in predict(found, threshold)]
    assert said == [decide(row, Quality(()), threshold) for row in found.probabilities]


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_each_point_keeps_what_its_name_promises(seed: int) -> None:
    found = answers(seed, cycles=200)
    chosen = choose_thresholds(found)
    at = {name: figures_at(found, threshold, resamples=0) for name, threshold in chosen.items()}
    assert at["sensitive"]["two_class"]["sensitivity"] >= 0.8
    assert at["specific"]["two_class"]["specificity"] >= 0.95
    tried = [figures_at(found, threshold, resamples=0)["four_class"]["score"] for threshold in GRID[::500]]
    assert at["balanced"]["four_class"]["score"] >= max(tried)


def test_no_other_threshold_on_the_grid_would_keep_it_at_less_cost() -> None:
    found = answers()
    chosen = choose_thresholds(found)
    higher = figures_at(found, chosen["sensitive"] + 0.0001, resamples=0)["two_class"]
    lower = figures_at(found, chosen["specific"] - 0.0001, resamples=0)["two_class"]
    assert higher["sensitivity"] < 0.8
    assert lower["specificity"] < 0.95


def test_intervals_hold_their_figures() -> None:
    found = answers()
    figures = figures_at(found, choose_thresholds(found)["balanced"], resamples=200)
    for classes in figures.values():
        for name in ("score", "sensitivity", "specificity"):
            low, high = classes["intervals"][name]
            assert low <= classes[name] <= high


def test_held_out_patients_are_decided_by_thresholds_of_the_others() -> None:
    held_out = held_out_figures(answers())
    assert set(held_out) == set(POINTS)
    assert 0.7 < held_out["sensitive"]["two_class"]["sensitivity"] < 0.9
    alone = answers().of(answers().patients == "icbhi/100")
    assert held_out_figures(alone) == {}


def test_answers_to_normal_cycles_alone_choose_nothing() -> None:
    found = answers()
    with pytest.raises(OperatingPointError, match="all to normal or all to abnormal"):
        choose_thresholds(found.of(found.labels == 0))


@pytest.fixture
def report_path(tmp_path: Path) -> Path:
    for seed in range(2):
        write_answers(tmp_path / f"seed-{seed}.npz", file_of(answers(seed)))
    path = tmp_path / "points.json"
    files = [str(tmp_path / f"seed-{seed}.npz") for seed in range(2)]
    assert operating_points.main(["--answers", *files, "--output", str(path)]) == 0
    return path


def test_several_seeds_are_pooled_and_the_file_says_on_what_it_was_chosen(report_path: Path) -> None:
    report = json.loads(report_path.read_text())
    one, other = answers(0), answers(1)
    fields = ("probabilities", "labels", "patients")
    both = Answers(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in fields))
    found = {name: point["abnormal_threshold"] for name, point in report["points"].items()}
    assert found == choose_thresholds(both)
    told = report["chosen_on"]
    assert (report["default"], told["patients"], told["cycles"]) == ("balanced", PATIENTS, 600)
    assert (told["answers_by_device"], told["temperature"]) == ({"Meditron": 1200}, 1.0)
    assert [each["file"] for each in told["answers"]] == ["seed-0.npz", "seed-1.npz"]


def test_thresholds_are_on_calibrated_probabilities(tmp_path: Path) -> None:
    write_answers(tmp_path / "a.npz", file_of(answers()))
    (tmp_path / "t.json").write_text('{"value": 1.7}')
    temperature = operating_points.read_temperature(tmp_path / "t.json")
    report = operating_points.operating_points([tmp_path / "a.npz"], temperature)
    calibrated = replace(answers(), probabilities=calibrate(answers().probabilities, 1.7))
    assert report["points"]["balanced"]["abnormal_threshold"] == choose_thresholds(calibrated)["balanced"]
    assert report["chosen_on"]["temperature"] == 1.7


def test_two_class_answers_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = file_of(answers())
    two = replace(found, labels=np.minimum(found.labels, 1), probabilities=found.probabilities[:, :2])
    write_answers(tmp_path / "two.npz", two)
    output = tmp_path / "points.json"
    assert operating_points.main(["--answers", str(tmp_path / "two.npz"), "--output", str(output)]) == 2
    message = capsys.readouterr().err
    assert "answers with 2 classes" in message
    assert len(message.splitlines()) == 1
    assert not output.exists()


@pytest.fixture
def pack_arguments(checkpoint_folder: Path, graphs: list[Path], comparison_path: Path, tmp_path: Path) -> list[str]:
    files = ["--onnx", *map(str, graphs), "--comparison", str(comparison_path)]
    return ["--checkpoint", str(checkpoint_folder), *files, "--output", str(tmp_path / "common")]


def test_the_bundle_and_its_card_carry_them(report_path: Path, pack_arguments: list[str], tmp_path: Path) -> None:
    assert pack.main([*pack_arguments, "--operating-points", str(report_path)]) == 0
    report = json.loads(report_path.read_text())
    held = load_bundle(tmp_path / "common").operating_points
    assert held.default == "balanced"
    assert {name: point.abnormal_threshold for name, point in held.points.items()} == {
        name: point["abnormal_threshold"] for name, point in report["points"].items()
    }
    card = (tmp_path / "common" / "MODEL_CARD.md").read_text()
    for name, point in report["points"].items():
        assert f"| `{name}` | {point['abnormal_threshold']:.4f} |" in card
    assert f"600 cycles of {PATIENTS} patients" in " ".join(card.split())


def test_points_of_another_temperature_are_not_packed(
    report_path: Path, pack_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(report_path, chosen_on={"temperature": 1.3})
    assert pack.main([*pack_arguments, "--operating-points", str(report_path)]) == 2
    assert "chosen at temperature 1.3, the bundle has 1.0" in capsys.readouterr().err
    assert not (tmp_path / "common").exists()


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "not json", '{"default": "a", "points": {"a": {"abnormal_threshold": 2.0}}, "chosen_on": {}}'],
)
def test_what_is_no_file_of_points_is_refused_in_one_line(
    pack_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(content)
    assert pack.main([*pack_arguments, "--operating-points", str(path)]) == 2
    message = capsys.readouterr().err
    assert str(path) in message
    assert "export.operating_points" in message
    assert len(message.splitlines()) == 1
