"""Intervals by bootstrap over patients, against SciPy, naive loops and what must hold of any."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.bootstrap import (
    FEWEST_PATIENTS,
    FIGURES,
    PatientCounts,
    differences,
    draw_patients,
    drawn_figures,
    intervals,
    patient_counts,
)
from train.metrics import abnormal_auc, confusion_matrix, scores_from_confusion


@dataclass(frozen=True, eq=False)
class Answered:
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    patients: NDArray[np.str_]

    def at(self, places: NDArray[np.intp]) -> "Answered":
        return Answered(self.labels[places], self.probabilities[places], self.patients[places])


def answered(patients: int, cycles_each: int, seed: int, skill: float = 1.0, alike: float = 0.0) -> Answered:
    """Random answers of four classes, right the more often the greater `skill`; ties are common.

    With `alike`, all cycles of a patient are as easy or as hard as each other. Of two and more cycles of a patient,
    the first is normal and the second is not.
    """
    rng = np.random.default_rng(seed)
    n = patients * cycles_each
    labels = rng.integers(0, 4, n)
    if cycles_each > 1:
        labels[::cycles_each], labels[1::cycles_each] = 0, rng.integers(1, 4, patients)
    logits = rng.normal(size=(n, 4)).round(1)
    ease = skill + alike * np.repeat(rng.normal(size=patients), cycles_each)
    logits[np.arange(n), labels] += ease
    probabilities = np.exp(logits)
    names = np.repeat([f"{100 + number}" for number in range(patients)], cycles_each)
    return Answered(labels, probabilities / probabilities.sum(axis=1, keepdims=True), names)


def point(sample: Answered) -> dict[str, float]:
    scores = scores_from_confusion(confusion_matrix(sample.labels, sample.probabilities.argmax(axis=1)))
    auc = abnormal_auc(sample.labels, sample.probabilities)
    return dict(zip(FIGURES, (scores.score, scores.sensitivity, scores.specificity, auc), strict=True))


def counts(sample: Answered) -> PatientCounts:
    return patient_counts(sample.labels, sample.probabilities, sample.patients)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 10**6))
def test_each_resample_has_the_figures_of_its_cycles_written_out(patients: int, cycles_each: int, seed: int) -> None:
    sample = answered(patients, cycles_each, seed)
    drawn = draw_patients(patients, 5, np.random.default_rng(seed))
    found = drawn_figures(counts(sample), drawn)
    names = np.unique(sample.patients)
    for place, times in enumerate(drawn):
        who = np.repeat(names, times)
        written_out = sample.at(np.concatenate([np.flatnonzero(sample.patients == name) for name in who]))
        for name, expected in point(written_out).items():
            assert found[name][place] == pytest.approx(expected, nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("figure", FIGURES)
def test_patients_of_one_cycle_each_get_scipys_interval(figure: str) -> None:
    sample = answered(patients=150, cycles_each=1, seed=3)

    def statistic(places: NDArray[np.intp]) -> float:
        return point(sample.at(places))[figure]

    expected = scipy.stats.bootstrap(
        (np.arange(150),), statistic, method="percentile", n_resamples=2000, vectorized=False, rng=11
    ).confidence_interval
    ends = intervals(counts(sample), np.random.default_rng(0)).ends[figure]
    # Both ends are quantiles of 2000 draws, which move by 0.06 standard deviations, 1.5 % of the width, each.
    assert ends == pytest.approx(tuple(expected), abs=0.06 * (expected.high - expected.low))


@pytest.mark.parametrize(("patients", "expected"), [(6, 0.83), (10, 0.9), (30, 0.945)])
def test_the_interval_holds_what_is_true_of_all_patients_as_often_as_the_documents_say(
    patients: int, expected: float
) -> None:
    truth, samples = everyone_and_samples_of(patients)
    held = [holds(intervals(counts(each), np.random.default_rng(0), 300).ends["score"], truth) for each in samples]
    assert np.mean(held) == pytest.approx(expected, abs=0.05)


def test_an_interval_over_cycles_that_are_alike_would_be_too_narrow() -> None:
    truth, samples = everyone_and_samples_of(30)
    by_cycle = [dataclasses.replace(each, patients=np.arange(each.labels.size).astype(str)) for each in samples[:60]]
    held = [holds(intervals(counts(each), np.random.default_rng(0), 300).ends["score"], truth) for each in by_cycle]
    assert np.mean(held) < 0.75


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 20), st.integers(2, 8), st.integers(0, 10**6))
def test_the_interval_holds_the_figure_and_knows_no_order_of_cycles(patients: int, cycles_each: int, seed: int) -> None:
    sample = answered(patients, cycles_each, seed)
    shuffled = sample.at(np.random.default_rng(seed).permutation(sample.labels.size))
    found, again = (intervals(counts(each), np.random.default_rng(1)) for each in (sample, shuffled))
    assert found == again
    for name, value in point(sample).items():
        ends = found.ends[name]
        assert ends is not None
        assert 0 <= ends[0] <= value + 1e-12
        assert value - 1e-12 <= ends[1] <= 1


@pytest.mark.parametrize("patients", [1, 2, FEWEST_PATIENTS - 1])
def test_one_or_few_patients_give_no_interval(patients: int) -> None:
    found = intervals(counts(answered(patients, cycles_each=50, seed=0)), np.random.default_rng(0))
    assert set(found.ends.values()) == {None}
    enough = intervals(counts(answered(FEWEST_PATIENTS, cycles_each=50, seed=0)), np.random.default_rng(0))
    assert None not in enough.ends.values()


def test_few_patients_with_normal_cycles_give_no_interval_of_what_these_decide() -> None:
    # All of eight patients have an abnormal cycle, one of them also the normal ones.
    labels = np.array([0, 0, 0, 1, 2, 3, 1, 2, 3, 1, 2])
    probabilities = np.eye(4)[[0, 0, 1, 1, 2, 2, 1, 2, 0, 0, 1]]
    patients = np.array(list("aaaabcdefgh"))
    found = intervals(patient_counts(labels, probabilities, patients), np.random.default_rng(0))
    assert found.ends["sensitivity"] is not None
    assert [found.ends[name] for name in ("specificity", "score", "abnormal_auc")] == [None] * 3
    # The one patient is missed in (7/8)^8 of the resamples.
    assert found.left_out / found.resamples == pytest.approx((7 / 8) ** 8, abs=0.04)


def test_resamples_without_a_side_are_left_out_and_counted() -> None:
    # Six patients with normal cycles alone, seven with abnormal ones.
    labels, patients = np.repeat([0, 1], [6, 7]), np.array(list("abcdefghijklm"))
    probabilities = np.eye(4)[[0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1]]
    found = intervals(patient_counts(labels, probabilities, patients), np.random.default_rng(0), 100_000)
    expected = (6 / 13) ** 13 + (7 / 13) ** 13
    assert found.left_out / found.resamples == pytest.approx(expected, rel=0.3)
    assert found.ends["score"] is not None


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_models_do_not_differ(seeds: int) -> None:
    models = [answered(12, 10, seed) for seed in range(seeds)]
    labels, patients = models[0].labels, models[0].patients
    ours = [patient_counts(labels, each.probabilities, patients) for each in models]
    for found in differences(ours, ours[::-1], np.random.default_rng(0)).values():
        assert (found.value, found.interval, found.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_swapped_models_differ_by_the_opposite_with_the_same_p() -> None:
    better, worse = two_models(advantage=0.6)
    there, back = (
        differences([first], [second], np.random.default_rng(0)) for first, second in ((better, worse), (worse, better))
    )
    for name in FIGURES:
        low, high = there[name].interval or (0, 0)
        assert back[name].value == -(there[name].value or 0)
        assert back[name].interval == pytest.approx((-high, -low))
        assert back[name].p_value == there[name].p_value


def test_six_patients_who_all_prefer_one_model_are_no_stronger_proof_than_a_sign_test() -> None:
    labels, patients = np.tile([0, 1], 6), np.repeat(list("abcdef"), 2)
    right, wrong = (patient_counts(labels, np.eye(4)[said], patients) for said in (labels, 1 - labels))
    found = differences([right], [wrong], np.random.default_rng(0))["score"]
    assert (found.value, found.interval, found.p_value) == (1.0, (1.0, 1.0), 2 / 2**6)


def test_the_pairing_shows_what_two_intervals_hide() -> None:
    better, worse = two_models(advantage=0.6)
    found = differences([better], [worse], np.random.default_rng(0))["score"]
    ours, theirs = (intervals(each, np.random.default_rng(0)).ends["score"] for each in (better, worse))
    assert ours is not None
    assert theirs is not None
    assert ours[0] < theirs[1], "the intervals of the two overlap"
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_models_that_are_as_good_are_seldom_told_apart() -> None:
    low = 0
    for seed in range(200):
        first, second = two_models(advantage=0.0, seed=seed)
        p_value = differences([first], [second], np.random.default_rng(0), 300)["score"].p_value
        low += (p_value or 1) < 0.05
    assert low / 200 <= 0.1


def test_a_difference_of_few_patients_has_no_interval_and_of_no_normal_cycle_no_value() -> None:
    labels, patients = np.array([0, 1, 1]), np.array(list("abb"))
    one, other = (patient_counts(labels, np.eye(4)[said], patients) for said in ([0, 1, 1], [0, 1, 0]))
    found = differences([one], [other], np.random.default_rng(0))["sensitivity"]
    assert (found.value, found.interval, found.p_value) == (0.5, None, None)
    abnormal = patient_counts(labels[1:], np.eye(4)[[1, 1]], np.array(["a", "b"]))
    assert differences([abnormal], [abnormal], np.random.default_rng(0))["score"].value is None


def two_models(advantage: float, seed: int = 0) -> tuple[PatientCounts, PatientCounts]:
    """Counts of two models that find the same cycles hard, the first of them right a little more often."""
    base = answered(patients=30, cycles_each=20, seed=seed, alike=1.0)
    rng = np.random.default_rng(seed + 1000)
    sides = []
    for gain in (advantage, 0.0):
        logits = np.log(base.probabilities) + 0.5 * rng.normal(size=base.probabilities.shape)
        logits[np.arange(base.labels.size), base.labels] += gain
        shares = np.exp(logits)
        sides.append(patient_counts(base.labels, shares / shares.sum(axis=1, keepdims=True), base.patients))
    return sides[0], sides[1]


def everyone_and_samples_of(patients: int) -> tuple[float, list[Answered]]:
    """The Score of 4000 patients, and 400 samples of patients like them, whose cycles are alike."""
    everyone = answered(patients=4000, cycles_each=20, seed=0, alike=1.5)
    return point(everyone)["score"], [answered(patients, 20, 1 + seed, alike=1.5) for seed in range(400)]


def holds(ends: tuple[float, float] | None, truth: float) -> bool:
    return ends is not None and ends[0] <= truth <= ends[1]
