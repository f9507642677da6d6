from benchmarks.report import LINE_LENGTH, Ratio, Table, markdown_from_tables, verdict, wrapped


def test_a_verdict_names_what_was_reached_and_what_was_missed() -> None:
    text = verdict([Ratio("one", 3.25, 3), Ratio("two", 2.4, 3), Ratio("three", 4.0, 4)])
    assert text == "Reached: one (3.2), three (4.0). Missed: two (2.40 of 3)."


def test_rounding_turns_no_miss_into_a_hit() -> None:
    assert verdict([Ratio("one", 2.996, 3)]).startswith("Missed: one")


def test_a_verdict_on_nothing_is_empty() -> None:
    assert verdict([]) == ""


def test_notes_with_figures_keep_to_the_length_of_a_line() -> None:
    lines = wrapped("int8-u8.onnx is as fast as " * 20).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= LINE_LENGTH
    assert not any(line.endswith("int8-") for line in lines)


def test_a_table_becomes_markdown_with_its_note() -> None:
    table = Table("Title", ("a", "b"), [("1", "2")], "How.")
    assert markdown_from_tables([table]) == "## Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nHow.\n"
