"""The strip shows the sound at its time and frequency, in whatever a terminal has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.signal.colour import magma
from edge.signal.spec import COMPACT
from edge.view.spectrogram_strip import (
    ASCII_SHADES,
    COLOURS_256,
    LABEL_COLUMNS,
    MOST_COLUMNS,
    Paint,
    StripHistory,
    strip_lines,
)
from edge.view.terminal import Line

RATE_HZ = 8000
PLAIN = Paint(colours=False, unicode=False)


def tone(seconds: float, frequency_hz: float, level: float = 0.1) -> NDArray[np.float32]:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(level * np.sin(2 * np.pi * frequency_hz * times_s), dtype=np.float32)


def heard(*blocks: AudioBlock) -> StripHistory:
    history = StripHistory(RATE_HZ, COMPACT)
    for block in blocks:
        history.add(block)
    return history


def body(line: Line) -> str:
    return "".join(character for character, _ in line.cells)


@pytest.mark.parametrize(("frequency_hz", "label"), [(100, " 100 Hz "), (1000, "1000 Hz "), (1800, "1800 Hz ")])
def test_a_tone_is_brightest_in_the_row_of_its_frequency(frequency_hz: float, label: str) -> None:
    lines = strip_lines(heard(AudioBlock(tone(20, frequency_hz))), COMPACT, 79, 8, PLAIN)[:-1]
    brightness = [max(ASCII_SHADES.index(character) for character in body(line)) for line in lines]
    brightest = [line.text for line, shade in zip(lines, brightness, strict=True) if shade == max(brightness)]
    assert label in brightest
    assert len(brightest) <= 2


def test_a_column_is_half_a_second_and_a_second_where_there_is_little_room() -> None:
    history = heard(AudioBlock(tone(10, 500)), AudioBlock(tone(5, 500, level=0)))
    for columns, expected in ((LABEL_COLUMNS + 60, 20), (LABEL_COLUMNS + 40, 10)):
        rows = strip_lines(history, COMPACT, columns, 4, PLAIN)[:-1]
        loud = {at for line in rows for at, character in enumerate(body(line)) if character in "#%"}
        assert abs(len(loud) - expected) <= 1  # the filter rings into the silence
        assert min(loud) == 0


def test_the_strip_sweeps_so_that_a_new_column_changes_one_and_the_gap() -> None:
    rng = np.random.default_rng(0)
    blocks = [AudioBlock(rng.normal(0, 0.05, RATE_HZ // 2).astype(np.float32)) for _ in range(141)]
    history = heard(*blocks[:-1])
    before = [line.cells for line in strip_lines(history, COMPACT, 79, 6, PLAIN)[:-1]]
    history.add(blocks[-1])
    after = [line.cells for line in strip_lines(history, COMPACT, 79, 6, PLAIN)[:-1]]
    changed = {at for one, other in zip(before, after, strict=True) for at in range(71) if one[at] != other[at]}
    assert changed == {140 % 71, 141 % 71}


def test_the_time_axis_names_the_time_at_which_a_column_begins() -> None:
    axis = strip_lines(heard(AudioBlock(tone(64, 500))), COMPACT, 79, 4, PLAIN)[-1].text
    assert axis[LABEL_COLUMNS + 120 % 71 :].startswith("1:00")
    assert axis[LABEL_COLUMNS + 60 :].startswith("0:30")  # 128 columns: what is left of the first round begins at 57
    assert "0:20" not in axis


def test_lost_sound_is_marked_and_keeps_its_time() -> None:
    history = heard(AudioBlock(tone(2, 500)), AudioBlock(tone(2.2, 500), lost_samples=round(3.3 * RATE_HZ)))
    rows = [body(line) for line in strip_lines(history, COMPACT, 79, 4, PLAIN)[:-1]]
    assert history.now == 15
    for row in rows:
        assert [at for at, character in enumerate(row) if character == "?"] == list(range(4, 11))


def test_a_loss_of_hours_costs_no_more_than_one_of_seconds() -> None:
    history = heard(AudioBlock(tone(2, 500)), AudioBlock(tone(1, 500), lost_samples=10**9))
    assert len(history.columns) <= 2
    assert history.now == (2 * RATE_HZ + 10**9 + RATE_HZ) // (RATE_HZ // 2)


def test_an_hour_of_sound_is_not_kept() -> None:
    history = heard(*[AudioBlock(tone(2, 500))] * 100)
    assert len(history.columns) == MOST_COLUMNS


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 9000), min_size=1, max_size=12))
def test_how_the_sound_is_cut_changes_nothing(sizes: list[int]) -> None:
    sound = np.random.default_rng(1).normal(0, 0.05, sum(sizes)).astype(np.float32)
    whole = heard(AudioBlock(sound))
    cut = heard(*(AudioBlock(piece) for piece in np.split(sound, np.cumsum(sizes)[:-1])))
    assert cut.now == whole.now
    for column, power in whole.columns.items():
        np.testing.assert_allclose(cut.columns[column], power, rtol=1e-4)


def test_silence_is_dark() -> None:
    quiet = np.random.default_rng(2).normal(0, 1e-5, 20 * RATE_HZ).astype(np.float32)
    rows = strip_lines(heard(AudioBlock(quiet)), COMPACT, 79, 4, PLAIN)[:-1]
    assert {body(line).strip() for line in rows} == {""}


@pytest.mark.parametrize(("columns", "rows"), [(9, 1), (20, 4), (39, 9), (79, 8), (199, 16)])
@pytest.mark.parametrize("paint", [PLAIN, Paint(True, True), Paint(True, False), Paint(False, True)])
def test_the_strip_has_its_size_in_what_the_terminal_can_show(columns: int, rows: int, paint: Paint) -> None:
    lines = strip_lines(heard(AudioBlock(tone(90, 500))), COMPACT, columns, rows, paint)
    assert len(lines) == rows + 1
    for line in lines:
        assert len(line.text) + len(line.cells) <= columns
        assert paint.unicode or body(line).isascii()
        assert paint.colours or {style for _, style in line.cells} <= {""}


def test_each_colour_is_the_nearest_that_xterm_has_to_magma() -> None:
    steps = [0, 95, 135, 175, 215, 255]
    xterm = np.array([[r, g, b] for r in steps for g in steps for b in steps] + [[8 + 10 * n] * 3 for n in range(24)])
    wanted = magma()[np.linspace(0, 255, len(COLOURS_256)).round().astype(int)].astype(int)
    distances = np.square(wanted[:, np.newaxis] - xterm).sum(axis=2)
    assert tuple(16 + distances.argmin(axis=1)) == COLOURS_256
