"""Calibration changes how certain a result is, never which class it names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.bundle import TEMPERATURES
from edge.decision import calibrate, decide
from edge.labels import LABELS
from edge.quality import Quality, Reason

temperatures = st.floats(*TEMPERATURES)
logits = st.lists(st.floats(-60, 60, width=32), min_size=4, max_size=4)


def softmax(values: list[float]) -> NDArray[np.float32]:
    powers = np.exp(np.array(values) - max(values))
    return np.asarray(powers / powers.sum(), dtype=np.float32)


@given(logits, temperatures)
def test_no_temperature_changes_the_decision(values: list[float], temperature: float) -> None:
    probabilities = softmax(values)
    fit = Quality(())
    assert decide(calibrate(probabilities, temperature), fit) == decide(probabilities, fit)


@given(st.floats(0.125, 0.375, width=32), temperatures)
def test_two_classes_one_float_apart_keep_their_order(probability: float, temperature: float) -> None:
    first = np.float32(probability)
    probabilities = np.array([first, np.nextafter(first, np.float32(1)), 0.01, 0.01], np.float32)
    assert int(calibrate(probabilities, temperature).argmax()) == 1


@given(logits, temperatures)
def test_it_divides_the_logits(values: list[float], temperature: float) -> None:
    exact = np.exp((np.array(values) - max(values)) / temperature)
    found = calibrate(softmax(values), temperature)
    assert found.sum() == pytest.approx(1)
    # Where float32 lost a probability to 0, no temperature brings it back.
    np.testing.assert_allclose(found, exact / exact.sum(), atol=1e-4 if min(softmax(values)) > 1e-30 else 1)


def test_a_temperature_of_one_leaves_probabilities_as_they_are() -> None:
    probabilities = softmax([1.0, 2.0, 3.0, 0.5])
    np.testing.assert_allclose(calibrate(probabilities, 1.0), probabilities, rtol=1e-6)


@given(logits, st.floats(1, TEMPERATURES[1]))
def test_above_one_the_likeliest_class_becomes_less_certain(values: list[float], temperature: float) -> None:
    probabilities = softmax(values)
    assert calibrate(probabilities, temperature).max() <= probabilities.max() + 1e-6


def test_each_row_of_a_batch_is_calibrated_by_itself() -> None:
    rows = np.stack([softmax([0.0, 1.0, 2.0, 3.0]), softmax([5.0, 1.0, 0.0, 0.0])])
    found = calibrate(rows, 1.7)
    for row, alone in zip(found, rows, strict=True):
        np.testing.assert_array_equal(row, calibrate(alone, 1.7))


def test_unfit_sound_gets_no_label_however_certain() -> None:
    certain = np.array([0, 0, 1, 0], np.float32)
    assert decide(certain, Quality(())) == LABELS[2]
    assert decide(certain, Quality((Reason("clipping", 0.5, 0.01, "share"),))) is None
