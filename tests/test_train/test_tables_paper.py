"""The paper's numbers as data: what must hold if they were copied faithfully."""

import pytest

from train import paper


@pytest.mark.parametrize("row", [row for row in paper.TABLE_1 if row.specificity is not None])
def test_a_score_is_the_mean_of_its_two_rates(row: paper.PublishedScore) -> None:
    assert row.specificity is not None
    assert row.sensitivity is not None
    assert row.score == pytest.approx((row.specificity + row.sensitivity) / 2, abs=0.0501)


def test_the_totals_of_table_4_follow_from_its_cells() -> None:
    assert all(sum(row.cycles) == row.total for row in paper.TABLE_4.values())
    columns = zip(*(row.cycles for row in paper.TABLE_4.values()), strict=True)
    assert tuple(sum(column) for column in columns) == paper.CLASS_CYCLES
    assert sum(paper.CLASS_CYCLES) == paper.CYCLES
    assert sum(row.patients for row in paper.TABLE_4.values()) == paper.PATIENTS_OVER_DEVICES


def test_the_shares_of_table_5_add_up_to_one_in_every_column() -> None:
    columns = zip(*paper.TABLE_5.values(), strict=True)
    assert [round(sum(column), 2) for column in columns] == [1.0, 1.0, 1.0, 1.0]


def test_the_ablations_meet_the_scores_of_table_1() -> None:
    scores = {row.method: row.score for row in paper.TABLE_1 if (row.split, row.task) == ("80/20", "four_class")}
    assert scores[paper.NETWORK] == paper.TABLE_2[7] == paper.SCORE_WITH_STANDARD_AUGMENTATION
    assert scores[paper.TECHNIQUES] == paper.SCORE_WITH_CLIPPING_AND_CONCATENATION
    assert scores[paper.FINE_TUNED] - scores[paper.TECHNIQUES] == pytest.approx(paper.FINE_TUNING_GAIN)
    assert max(paper.TABLE_2, key=lambda window_s: paper.TABLE_2[window_s]) == 7


def test_every_table_by_stethoscope_has_the_four() -> None:
    for table in (paper.TABLE_3, paper.TABLE_4, paper.TABLE_5, paper.TABLE_6):
        assert tuple(table) == paper.DEVICES
