"""Files of answers, and two models compared by them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from train.answers import Answers, read_answers, write_answers
from train.compare_answers import main
from train.errors import AnswersError

PATIENTS, CYCLES_EACH = 12, 10


def answers(share_right: float, seed: int) -> Answers:
    """Cycles that are the same whatever the seed, answered rightly as often as asked."""
    n = PATIENTS * CYCLES_EACH
    labels = np.arange(n) % 4
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(n) < share_right, labels, rng.integers(0, 4, n))
    return Answers(
        dataset="icbhi",
        patients=np.repeat([f"{101 + number}" for number in range(PATIENTS)], CYCLES_EACH),
        devices=np.repeat(["Litt3200", "Meditron"], n // 2),
        recordings=np.repeat([f"{101 + number}_1b1_Al" for number in range(PATIENTS)], CYCLES_EACH),
        index=np.tile(np.arange(CYCLES_EACH), PATIENTS),
        labels=labels,
        probabilities=(0.1 + 0.6 * np.eye(4)[said]).astype(np.float32),
    )


def saved(path: Path, content: Answers) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_answers(path, content)
    return str(path)


def compared(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--report", str(tmp_path / "report.json")]) == 0
    found: dict[str, Any] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    return found


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = answers(0.5, seed=0)
    read = read_answers(Path(saved(tmp_path / "a.npz", written)))
    for field in dataclasses.fields(Answers):
        assert np.array_equal(getattr(read, field.name), getattr(written, field.name))


def test_the_better_model_is_told_from_the_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    better, worse = (saved(tmp_path / f"{share}.npz", answers(share, seed=1)) for share in (0.9, 0.3))
    found = compared(tmp_path, better, worse)
    score = found["differences"]["score"]
    assert (found["cycles"], found["patients"]) == (PATIENTS * CYCLES_EACH, PATIENTS)
    assert 0 < score["interval"][0] < score["difference"] < score["interval"][1]
    assert score["p_value"] == pytest.approx(2 / 2001, abs=1e-4)
    assert found["devices"]["Meditron"]["patients"] == PATIENTS // 2
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{better} less {worse} (icbhi)"
    assert [line.split()[0] for line in shown[2:]] == ["all", "Litt3200", "Meditron"]


def test_the_order_of_cycles_in_a_file_does_not_matter(tmp_path: Path) -> None:
    first, second = answers(0.7, seed=1), answers(0.5, seed=2)
    shuffled = second.at(np.random.default_rng(0).permutation(len(second.labels)))
    plain = compared(tmp_path, saved(tmp_path / "a.npz", first), saved(tmp_path / "b.npz", second))
    assert compared(tmp_path, str(tmp_path / "a.npz"), saved(tmp_path / "b.npz", shuffled)) == plain


def test_cross_validations_are_compared_by_the_mean_of_their_seeds(tmp_path: Path) -> None:
    shares = {"a": (0.8, 0.7, 0.6), "b": (0.5, 0.5)}
    for name, of_seeds in shares.items():
        for seed, share in enumerate(of_seeds):
            saved(tmp_path / name / f"seed-{seed}" / "answers-common.npz", answers(share, seed))
    found = compared(tmp_path, str(tmp_path / "a"), str(tmp_path / "b"))
    assert found["seeds"] == [3, 2]
    means = {name: np.mean([specificity(answers(*each[::-1])) for each in enumerate(shares[name])]) for name in shares}
    assert found["differences"]["specificity"]["difference"] == pytest.approx(means["a"] - means["b"], abs=1e-4)


def specificity(given: Answers) -> float:
    normal: NDArray[np.bool_] = given.labels == 0
    return float((given.probabilities[normal].argmax(axis=1) == 0).mean())


def relabelled(given: Answers) -> Answers:
    return dataclasses.replace(given, labels=np.roll(given.labels, 1))


def of_two_classes(given: Answers) -> Answers:
    return dataclasses.replace(given, labels=given.labels.clip(0, 1), probabilities=given.probabilities[:, :2])


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (answers(0.5, 0).at(np.arange(100)), "of 120 and 100 cycles, 100 are of both"),
        (relabelled(answers(0.5, 0)), "their labels differ"),
        (dataclasses.replace(answers(0.5, 0), dataset="sprsound"), "one is of icbhi, the other of sprsound"),
        (of_two_classes(answers(0.5, 0)), "one has 4 classes, the other 2"),
    ],
)
def test_answers_to_other_cycles_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: Answers, expected: str
) -> None:
    assert main([saved(tmp_path / "a.npz", answers(0.5, 0)), saved(tmp_path / "b.npz", other)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"train.compare_answers: {tmp_path / 'a.npz'} and {tmp_path / 'b.npz'}: ")
    assert f"{expected}; compare answers to the same cycles" in line


def test_what_is_no_file_of_answers_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(saved(tmp_path / "a.npz", answers(0.5, 0)))
    half, text, other, foreign = (tmp_path / name for name in ("half.npz", "text.npz", "other.npz", "foreign.npy"))
    half.write_bytes(whole.read_bytes()[:-300])
    text.write_text("no answers")
    np.savez(other, images=np.zeros(3))
    np.save(foreign, np.zeros(3))
    (tmp_path / "empty.npz").touch()
    for bad in (half, text, other, foreign, tmp_path / "empty.npz", tmp_path / "missing.npz", tmp_path):
        assert main([str(whole), str(bad)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(bad) in line


def test_a_damaged_file_is_refused_or_harmless(tmp_path: Path) -> None:
    content = bytearray(Path(saved(tmp_path / "a.npz", answers(0.5, 0))).read_bytes())
    refused = 0
    for place in range(0, len(content), 7):
        damaged = content.copy()
        damaged[place] ^= 0x5A
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            read_answers(tmp_path / "damaged.npz")
        except AnswersError as error:
            refused += "\n" not in str(error)
    assert refused > len(content) / 7 / 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": np.zeros(3, np.int64)}, "different lengths"),
        ({"labels": np.zeros(PATIENTS * CYCLES_EACH)}, "a label or probability is none"),
        ({"labels": np.full(PATIENTS * CYCLES_EACH, 4)}, "a label or probability is none"),
        ({"probabilities": np.full((PATIENTS * CYCLES_EACH, 4), np.nan, np.float32)}, "a label or probability is none"),
    ],
)
def test_arrays_that_do_not_fit_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], expected: str
) -> None:
    bad = saved(tmp_path / "bad.npz", dataclasses.replace(answers(0.5, 0), **change))
    assert main([bad, bad]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
