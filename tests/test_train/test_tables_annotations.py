"""Tables 4 and 5 and figure 4, counted from annotations."""

import json
from pathlib import Path

import numpy as np
import pytest

from train import paper
from train.errors import DatasetError
from train.tables.__main__ import main
from train.tables.annotations import class_counts_by_device, cycle_lengths_s, patients_by_device, read_annotation_set
from train.tables.comparison import differences
from train.tables.figure_4 import figure_4, percent_between
from train.tables.table_4 import comparisons, table_4
from train.tables.table_5 import class_shares, measured_shares, table_5

LITT3200_AS_PRINTED = (347, 77, 126, 44, 594)
LITTC2SE_AS_PRINTED = (336, 29, 112, 25, 502)


@pytest.fixture
def three_recordings(tmp_path: Path) -> Path:
    """Two patients, one of them heard through two stethoscopes; six cycles of known classes and lengths."""
    texts = {
        "101_1b1_Al_sc_Meditron": "0\t1\t0\t0\n1\t3.5\t1\t0\n",
        "101_2b1_Al_sc_Litt3200": "0.5\t5\t0\t1\n5\t7\t1\t1\n7\t9\t0\t0\n",
        "102_1b1_Ar_sc_Meditron": "0\t8\t0\t0\n",
    }
    for name, lines in texts.items():
        (tmp_path / f"{name}.txt").write_text(lines, encoding="utf-8")
    (tmp_path / "filename_format.txt").write_text("not a recording", encoding="utf-8")
    return tmp_path


def test_cycles_are_counted_per_class_and_stethoscope(three_recordings: Path) -> None:
    found = read_annotation_set(three_recordings)
    counts = class_counts_by_device(found.recordings)
    assert {device: cycles.tolist() for device, cycles in counts.items()} == {
        "Litt3200": [1, 0, 1, 1],
        "Meditron": [2, 1, 0, 0],
    }
    assert patients_by_device(found.recordings) == {"Litt3200": {"101"}, "Meditron": {"101", "102"}}
    assert found.extent == "subset"


def test_lengths_are_those_of_the_annotated_cycles(three_recordings: Path) -> None:
    lengths_s = cycle_lengths_s(read_annotation_set(three_recordings).recordings)
    assert sorted(lengths_s.tolist()) == [1.0, 2.0, 2.0, 2.5, 4.5, 8.0]
    assert percent_between(lengths_s, 2.0, 4.5) == 50.0


def test_all_annotations_are_taken_where_they_lie_beside_a_part_of_the_audio(three_recordings: Path) -> None:
    (three_recordings / "all_annotations").mkdir()
    (three_recordings / "all_annotations" / "103_1b1_Al_sc_LittC2SE.txt").write_text("0\t1\t1\t0\n", encoding="utf-8")
    assert [each.name.patient for each in read_annotation_set(three_recordings).recordings] == ["103"]


def test_a_subset_says_nothing_about_the_paper(three_recordings: Path) -> None:
    annotations = read_annotation_set(three_recordings)
    for notes in (table_4(annotations).notes, figure_4(annotations)[0].notes):
        assert len(notes) == 1
        assert notes[0].startswith("subset: 3 of 920 recordings")


def test_shares_of_a_class_add_up_to_one_and_an_absent_class_has_none() -> None:
    shares = class_shares({"Meditron": np.array([3, 0, 1, 0]), "Litt3200": np.array([1, 0, 1, 0])})
    assert shares["Meditron"].tolist() == [0.75, 0, 0.5, 0]
    assert shares["Litt3200"].tolist() == [0.25, 0, 0.5, 0]


def test_table_4_differs_from_the_data_in_two_exchanged_rows_and_nowhere_else(shared_data: Path) -> None:
    table = table_4(read_annotation_set(shared_data / "icbhi"))
    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    printed, measured = ({device: rows[device, source] for device in paper.DEVICES} for source in ("paper", "measured"))
    assert printed["Litt3200"] == (11, *LITT3200_AS_PRINTED)
    assert measured["Litt3200"] == (11, *LITTC2SE_AS_PRINTED)
    assert measured["LittC2SE"] == (23, *LITT3200_AS_PRINTED)
    assert printed["AKGC417L"] == measured["AKGC417L"] == (32, 1922, 1543, 500, 381, 4346)
    assert printed["Meditron"] == measured["Meditron"] == (64, 1037, 215, 148, 56, 1456)
    assert rows["all", "paper"] == rows["all", "measured"] == (130, 3642, 1864, 886, 506, 6898)
    assert table.differing == {(row, column) for row in (4, 6) for column in (3, 4, 5, 6, 7)}
    assert table.facts["annotations"] == "full"


def test_every_number_about_the_counts_is_the_papers_or_is_named(shared_data: Path) -> None:
    compared = comparisons(read_annotation_set(shared_data / "icbhi").recordings)
    named = [each for each in differences(compared) if not each.startswith("table 4")]
    assert named == [
        "section 2, patients heard at 7 places (it says all): paper 126, measured 15",
        "section 6.1, Meditron, cycles: paper 1468, measured 1456",
        "section 6.1, Meditron, cycles per patient: paper 22.9, measured 22.750",
        "section 6.1, AKGC417L, cycles: paper 4364, measured 4346",
        "section 6.1, AKGC417L, cycles per patient: paper 136.4, measured 135.812",
    ]
    assert len(compared) == 41
    assert len(differences(compared)) == 15


def test_table_4_says_what_explains_a_difference_and_what_does_not(shared_data: Path) -> None:
    notes = "\n".join(table_4(read_annotation_set(shared_data / "icbhi")).notes)
    assert (
        "prints Litt3200 and LittC2SE in each other's row, in the columns normal, crackle, wheeze, both, total" in notes
    )
    assert "Patients add up to 130, not 126, as 4 were heard through two: 112 (Litt3200 and Meditron)" in notes
    assert "By the file name LittC2SE has 23 patients, else 22; table 4 says 23" in notes
    assert "it would make 1467 cycles there, which is not the 1468 of section 6.1" in notes
    assert "AKGC417L 4364 cycles, table 4 4346: the same digits" in notes


def test_table_5_names_its_seven_wrong_cells(shared_data: Path) -> None:
    table = table_5(read_annotation_set(shared_data / "icbhi"))
    assert table.differing == {(2, 3), (4, 2), (4, 4), (4, 5), (6, 2), (6, 4), (6, 5)}
    assert "table 5, Meditron, crackle: paper 0.11, measured 0.1153" in table.notes
    assert "in the columns normal, wheeze, both only" in "\n".join(table.notes)
    assert "The column crackle, rounded correctly, adds up to 1.01; as printed, to 1.00." in table.notes


def test_table_5_contradicts_the_papers_table_4_in_the_one_column_that_was_not_exchanged(shared_data: Path) -> None:
    notes = table_5(read_annotation_set(shared_data / "icbhi")).notes
    own = [note for note in notes if "own table 4)" in note]
    assert [note.split(",")[1].strip() for note in own] == ["Meditron", "Litt3200", "LittC2SE"]
    assert all("crackle" in note for note in own)


def test_measured_shares_are_the_counts_over_the_classes(shared_data: Path) -> None:
    shares = measured_shares(read_annotation_set(shared_data / "icbhi"))
    np.testing.assert_allclose(shares["Litt3200"], [336 / 3642, 29 / 1864, 112 / 886, 25 / 506])


def test_figure_4_agrees_but_for_the_bounds_of_its_second_share(shared_data: Path) -> None:
    summary, distribution = figure_4(read_annotation_set(shared_data / "icbhi"))
    measured = {str(row[0]): row[2] for row in summary.rows}
    assert measured["per cent under 3 s"] == pytest.approx(64.77, abs=0.01)
    assert measured["per cent from 4 to 6 s"] == pytest.approx(9.77, abs=0.01)
    assert measured["mean, s"] == pytest.approx(2.7005, abs=1e-3)
    assert summary.differing == {(4, 1)}
    assert "fits 3 to 6 s, not 4 to 6 s" in " ".join(summary.notes)
    assert sum(int(row[1]) for row in distribution.rows if isinstance(row[1], int)) == 6898


def test_the_command_prints_the_table_and_writes_its_values(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "table.json"
    assert main(["4", "--data", str(shared_data / "icbhi"), "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert "annotations: full" in printed
    assert "347 *" in printed
    (written,) = json.loads(report.read_text(encoding="utf-8"))
    assert written["rows"][5] == {
        "stethoscope": "Litt3200", "source": "measured", "patients": 11,
        "normal": 336, "crackle": 29, "wheeze": 112, "both": 25, "total": 502,
    }  # fmt: skip
    assert [4, "normal"] in written["differing"]


def test_markdown_is_a_table_with_a_rule(three_recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["5", "--data", str(three_recordings), "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("### Table 5")
    assert "| --- | --- | ---: | ---: | ---: | ---: |" in lines
    assert any(line.startswith("- subset: 3 of 920") for line in lines)


@pytest.mark.parametrize("arguments", [["4"], ["5", "--data", "nowhere"]])
def test_a_set_up_error_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not an ICBHI folder"):
        read_annotation_set(tmp_path)
