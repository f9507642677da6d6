"""Score, sensitivity and specificity against figures worked out by hand."""

import numpy as np
import pytest

from train.metrics import abnormal_auc, confusion_matrix, scores_from_confusion


def test_confusion_counts_true_rows_and_predicted_columns() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1, 2, 3, 3]), np.array([0, 1, 1, 3, 3, 0]))
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]]


def test_sensitivity_counts_only_exact_classes_among_abnormal_cycles() -> None:
    # Ten normal with 8 hits; ten abnormal: 3 of 4 crackles, 1 of 4 wheezes, 1 of 2 both are exact, so Se is 5/10.
    matrix = np.array([[8, 1, 1, 0], [1, 3, 0, 0], [0, 1, 1, 2], [0, 1, 0, 1]])
    scores = scores_from_confusion(matrix)
    assert scores.specificity == pytest.approx(0.8)
    assert scores.sensitivity == pytest.approx(0.5)
    assert scores.score == pytest.approx(0.65)


def test_calling_everything_normal_scores_half() -> None:
    matrix = confusion_matrix(np.array([0, 0, 0, 1, 2]), np.zeros(5, dtype=np.int64))
    assert scores_from_confusion(matrix).score == 0.5


def test_a_side_without_cycles_has_no_score() -> None:
    scores = scores_from_confusion(confusion_matrix(np.array([1, 2]), np.array([1, 1])))
    assert scores.sensitivity == 0.5
    assert np.isnan(scores.specificity)
    assert np.isnan(scores.score)


def test_auc_is_the_share_of_pairs_in_the_right_order_ties_half() -> None:
    normal_probability = np.array([0.9, 0.5, 0.5, 0.2])
    probabilities = np.stack([normal_probability, 1 - normal_probability, np.zeros(4), np.zeros(4)], axis=1)
    # Pairs (abnormal, normal): (.5, .9) right, (.5, .5) tie, (.2, .9) right, (.2, .5) right: 3.5 of 4.
    assert abnormal_auc(np.array([0, 0, 1, 3]), probabilities) == pytest.approx(3.5 / 4)


def test_auc_needs_both_sides() -> None:
    assert np.isnan(abnormal_auc(np.array([0, 0]), np.full((2, 4), 0.25)))
