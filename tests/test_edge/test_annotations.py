"""ICBHI annotation files, right and wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.annotations import MAX_TEXT_BYTES, Cycle, annotations_beside, check_within, read_annotations
from edge.errors import AnnotationError


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "101_1b1_Al_sc_Meditron.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_lines_become_cycles_with_their_class(tmp_path: Path) -> None:
    path = write(tmp_path, "0.036\t0.579\t0\t0\n0.579\t2.45\t1\t0\n\n2.45\t3.893\t0\t1\r\n3.893 5.793 1 1\n")
    cycles = read_annotations(path)
    assert cycles[1] == Cycle(0.579, 2.45, crackle=True, wheeze=False)
    assert [cycle.label for cycle in cycles] == ["normal", "crackle", "wheeze", "both"]


def test_a_byte_order_mark_is_no_part_of_the_first_time(tmp_path: Path) -> None:
    assert read_annotations(write(tmp_path, "\ufeff0.5\t1\t0\t0\n"))[0].start_s == 0.5


def test_annotations_lie_beside_the_recording() -> None:
    assert annotations_beside(Path("a/101_1b1_Al_sc_Meditron.flac")) == Path("a/101_1b1_Al_sc_Meditron.txt")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 2 0", "has 3 fields"),
        ("1 2 0 0 0", "has 5 fields"),
        ("one 2 0 0", "'one' is not a time"),
        ("1 nan 0 0", "'nan' is not a time"),
        ("1 inf 0 0", "'inf' is not a time"),
        ("2 2 0 0", "from 2.0 s to 2.0 s"),
        ("-1 2 0 0", "from -1.0 s to 2.0 s"),
        ("1 2 0 2", "'2' must be 0 or 1"),
        ("1 2 yes 0", "'yes' must be 0 or 1"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path, f"0 1 0 0\n{line}\n")
    with pytest.raises(AnnotationError) as caught:
        read_annotations(path)
    assert f"{path}: line 2: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"), [("", "holds no cycle"), ("\n \n", "no cycle"), (b"\xff\xfe\x00", "text")]
)
def test_a_file_without_cycles_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(AnnotationError, match=said):
        read_annotations(write(tmp_path, content))


def test_a_missing_file_says_what_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"gone\.txt: cannot read .* must lie beside the recording"):
        read_annotations(tmp_path / "gone.txt")


def test_what_might_never_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "endless.txt").symlink_to("/dev/zero")
    for name in ("pipe.txt", "endless.txt"):
        with pytest.raises(AnnotationError, match=rf"{name}: not a file"):
            read_annotations(tmp_path / name)


def test_a_text_longer_than_any_night_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "0 1 0 0\n" * (MAX_TEXT_BYTES // 8 + 1))
    with pytest.raises(AnnotationError, match="more than 4 MB"):
        read_annotations(path)
    with pytest.raises(AnnotationError) as caught:
        read_annotations(write(tmp_path, "0 1" * 100_000 + " 2 0"))
    assert len(str(caught.value)) < len(str(path)) + 100


def cycles(*times_s: tuple[float, float]) -> list[Cycle]:
    return [Cycle(start_s, end_s, crackle=False, wheeze=False) for start_s, end_s in times_s]


def test_a_mark_may_pass_the_end_a_little_but_no_more() -> None:
    check_within(cycles((0, 2), (2, 4.2)), 4.0, Path("a.txt"))
    with pytest.raises(
        AnnotationError, match=r"a\.txt: cycle 2 lasts from 2 s to 4.3 s, but the recording ends at 4.0"
    ):
        check_within(cycles((0, 2), (2, 4.3)), 4.0, Path("a.txt"))
    with pytest.raises(AnnotationError, match="cycle 1"):
        check_within(cycles((4.0, 4.1)), 4.0, Path("a.txt"))


def test_marks_that_nobody_could_have_breathed_are_refused() -> None:
    check_within(cycles(*[(at / 2, at / 2 + 0.5) for at in range(8)] * 2), 4.0, Path("a.txt"))
    for one in ((0.0, 0.01), (0.0, 4.0)):
        with pytest.raises(AnnotationError, match=r"a\.txt: its 1000 cycles take \d+ s, several times"):
            check_within(cycles(*[one] * 1000), 4.0, Path("a.txt"))
