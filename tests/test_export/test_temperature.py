"""Fitting a temperature on the patients held back, choosing it without them, and packing it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle import TEMPERATURES, load_bundle
from edge.decision import calibrate
from export import pack, temperature
from export.reliability import (
    Answers,
    calibration_error,
    fit_temperature,
    left_out_likelihood,
    negative_log_likelihood,
)
from export.temperature import choose_temperature

CYCLES = 4000


def answers(overconfidence: float, patients: int = 8, seed: int = 0, cycles: int = CYCLES) -> Answers:
    """Labels drawn from probabilities whose logits were then multiplied: the right temperature is that factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (cycles, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < rng.random((cycles, 1))).sum(axis=1)
    names = np.array([f"icbhi/{number % patients}" for number in range(cycles)])
    return Answers(calibrate(true, 1 / overconfidence), labels, names)


def merged(*parts: Answers) -> Answers:
    return Answers(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([np.char.add(part.patients, f"-{place}") for place, part in enumerate(parts)]),
    )


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_the_probabilities_is_found(overconfidence: float) -> None:
    assert fit_temperature(answers(overconfidence)) == pytest.approx(overconfidence, rel=0.08)


def test_it_has_the_least_likelihood_that_a_general_minimiser_finds() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    spoilt = answers(1.8)

    def likelihood(value: float) -> float:
        return negative_log_likelihood(spoilt.calibrated(value))

    assert fit_temperature(spoilt) == pytest.approx(
        optimize.minimize_scalar(likelihood, TEMPERATURES, bounds=TEMPERATURES, method="bounded").x, rel=1e-3
    )


def test_a_network_that_is_never_or_always_right_gets_the_last_temperature_that_a_device_takes() -> None:
    sure = np.tile(np.array([0.4, 0.2, 0.2, 0.2]), (20, 1))
    names = np.array(["icbhi/1"] * 20)
    assert fit_temperature(Answers(sure, np.full(20, 3), names)) == pytest.approx(TEMPERATURES[1])
    assert fit_temperature(Answers(sure, np.zeros(20, np.int64), names)) == pytest.approx(TEMPERATURES[0])


def test_a_probability_of_nothing_spoils_no_figure() -> None:
    certain = Answers(np.array([[1.0, 0, 0, 0]] * 3), np.array([0, 0, 1]), np.array(["a", "b", "c"]))
    assert np.isfinite(negative_log_likelihood(certain))
    assert TEMPERATURES[0] <= fit_temperature(certain) <= TEMPERATURES[1]


def test_likelihood_is_of_what_the_true_class_was_given() -> None:
    given = np.array([[0.5, 0.5, 0, 0], [0.1, 0.2, 0.3, 0.4]])
    two = Answers(given, np.array([1, 3]), np.array(["icbhi/1", "icbhi/2"]))
    assert negative_log_likelihood(two) == pytest.approx(-(math.log(0.5) + math.log(0.4)) / 2)


def test_calibration_error_is_the_gap_between_being_sure_and_being_right() -> None:
    def sure_of_the_first(confidence: float, right: int, wrong: int) -> Answers:
        rest = (1 - confidence) / 3
        rows: NDArray[np.float64] = np.tile([confidence, rest, rest, rest], (right + wrong, 1))
        return Answers(rows, np.array([0] * right + [1] * wrong), np.array(["icbhi/1"] * (right + wrong)))

    assert calibration_error(sure_of_the_first(0.8, right=8, wrong=2)) == pytest.approx(0)
    assert calibration_error(sure_of_the_first(0.95, right=5, wrong=5)) == pytest.approx(0.45)
    # Bins do not make up for each other.
    both = merged(sure_of_the_first(0.95, right=5, wrong=5), sure_of_the_first(0.55, right=10, wrong=0))
    assert calibration_error(both) == pytest.approx(0.45)
    assert calibration_error(sure_of_the_first(1.0, right=3, wrong=0)) == 0


def test_each_patient_is_judged_by_a_temperature_that_does_not_know_them() -> None:
    one, other = answers(3.0, patients=1, seed=1), answers(0.6, patients=1, seed=2)
    both = merged(one, other)
    everybody = np.ones(len(both.labels), dtype=bool)
    crossed = [one.calibrated(fit_temperature(other)), other.calibrated(fit_temperature(one))]
    expected = np.mean([negative_log_likelihood(part) for part in crossed])
    assert left_out_likelihood(both, everybody, everybody) == pytest.approx(expected)


def test_a_single_patient_cannot_judge_a_fit_of_their_own() -> None:
    alone = answers(3.0, patients=1)
    everybody = np.ones(len(alone.labels), dtype=bool)
    assert left_out_likelihood(alone, everybody, everybody) is None
    chosen = choose_temperature(alone, everybody)
    assert (chosen["value"], chosen["fitted_on"]) == (1.0, "none")
    assert chosen["candidates"]["own"]["left_out_nll"] is None


def test_a_stethoscope_of_many_patients_gets_a_temperature_of_its_own() -> None:
    own, others = answers(2.0, patients=8), answers(0.6, patients=8, seed=3)
    both = merged(own, others)
    chosen = choose_temperature(both, np.arange(len(both.labels)) < CYCLES)
    assert chosen["fitted_on"] == "own"
    assert chosen["value"] == pytest.approx(2.0, rel=0.08)
    assert (chosen["patients"], chosen["cycles"]) == (8, CYCLES)
    assert chosen["own"]["after"]["nll"] < chosen["own"]["before"]["nll"]
    assert chosen["own"]["after"]["ece"] < chosen["own"]["before"]["ece"] / 2


def test_a_stethoscope_of_few_unlike_patients_falls_back_to_all() -> None:
    everybody = answers(2.0, patients=8)
    few = merged(answers(1.5, patients=1, seed=4, cycles=8), answers(2.5, patients=1, seed=10, cycles=8))
    both = merged(everybody, few)
    chosen = choose_temperature(both, np.arange(len(both.labels)) >= CYCLES)
    assert chosen["fitted_on"] == "pooled"
    assert chosen["value"] == pytest.approx(2.0, rel=0.08)


def test_probabilities_that_are_calibrated_already_are_left_alone() -> None:
    few = answers(1.0, patients=2, seed=1, cycles=30)
    assert choose_temperature(few, np.ones(30, dtype=bool))["value"] == 1.0


@pytest.fixture
def report_path(graphs: list[Path], icbhi_folder: Path, tmp_path: Path) -> Path:
    (graph,) = (path for path in graphs if path.name == "int8-u8.onnx")
    path = tmp_path / "temperature.json"
    assert temperature.main(["--onnx", str(graph), "--data", str(icbhi_folder), "--output", str(path)]) == 0
    return path


@pytest.fixture
def pack_arguments(checkpoint_folder: Path, graphs: list[Path], comparison_path: Path, tmp_path: Path) -> list[str]:
    files = ["--onnx", *map(str, graphs), "--comparison", str(comparison_path)]
    return ["--checkpoint", str(checkpoint_folder), *files, "--output", str(tmp_path / "common")]


def test_it_is_fitted_on_the_patients_held_back(report_path: Path) -> None:
    report = json.loads(report_path.read_text())
    assert (report["own"]["patients"], report["own"]["cycles"]) == (2, 16)
    assert report["data"]["icbhi"]["side"] == "validation"
    assert set(report["candidates"]) == {"none", "own"}
    assert report["onnx"]["file"] == "int8-u8.onnx"


def test_the_bundle_and_its_card_carry_it(report_path: Path, pack_arguments: list[str], tmp_path: Path) -> None:
    report = json.loads(report_path.read_text()) | {"value": 1.25}
    report_path.write_text(json.dumps(report))
    assert pack.main([*pack_arguments, "--temperature", str(report_path)]) == 0
    bundle = load_bundle(tmp_path / "common")
    assert bundle.temperature == 1.25
    card = (tmp_path / "common" / "MODEL_CARD.md").read_text()
    assert "at temperature 1.25" in card
    assert "16 cycles of 2 held-back patients" in " ".join(card.split())
    assert f"| all held-back cycles | {report['candidates']['own']['value']:.2f} |" in card


def test_without_one_the_card_says_that_nothing_is_calibrated(pack_arguments: list[str], tmp_path: Path) -> None:
    assert pack.main(pack_arguments) == 0
    assert load_bundle(tmp_path / "common").temperature == 1.0
    assert "not calibrated" in (tmp_path / "common" / "MODEL_CARD.md").read_text()


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_temperature_of_another_graph_is_not_packed(
    report_path: Path, pack_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(report_path, onnx={"file": "int8-u8.onnx", "sha256": "0" * 64})
    assert pack.main([*pack_arguments, "--temperature", str(report_path)]) == 2
    assert "another int8-u8.onnx" in capsys.readouterr().err
    assert not (tmp_path / "common").exists()


@pytest.mark.parametrize("content", ["{}", "[]", "not json", '{"value": 1.3}'])
def test_what_is_no_report_of_a_temperature_is_refused_in_one_line(
    pack_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(content)
    assert pack.main([*pack_arguments, "--temperature", str(path)]) == 2
    message = capsys.readouterr().err
    assert str(path) in message
    assert "export.temperature" in message
    assert len(message.splitlines()) == 1


def test_a_folder_without_the_held_back_patients_is_refused_in_one_line(
    graphs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "temperature.json"
    assert temperature.main(["--onnx", str(graphs[0]), "--data", str(tmp_path), "--output", str(output)]) == 2
    message = capsys.readouterr().err
    assert "not an ICBHI folder" in message
    assert len(message.splitlines()) == 1
    assert not output.exists()
