"""The last half minute of sound as a strip of coloured characters, for a terminal.

It is drawn as on a patient monitor: a column is written over the oldest one, at a gap that sweeps from left to right,
so that one column changes at a time. A strip that moves would be sent anew with each column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.report.spectrogram import RANGE_DB, height_of_frequency
from edge.signal.conditioning import condition, design_conditioner
from edge.signal.mel import POWER_FLOOR, mel_power
from edge.signal.spec import FeatureSpec
from edge.view.terminal import DIM, Cell, Line

Float32 = NDArray[np.float32]

MOST_COLUMNS = 120
COLUMNS_A_SECOND = 2
"""Short enough that a breath is several columns, long enough that 60 of them are half a minute."""
ENOUGH_COLUMNS = 60
"""With fewer, a column stands for a whole second."""
REFERENCE_STEP_DB = 10
"""The brightest colour stands for the next multiple above the loudest point, so that it seldom changes."""
LOWEST_REFERENCE_DB = -20.0
"""The brightest colour stands for no less, so that silence stays dark: white noise at -90 dBFS, measured, is black."""
COLOURS_256 = (16, 235, 54, 90, 132, 167, 209, 216, 229)
"""The nearest of xterm's colours to nine equal steps of magma, which reports are painted with."""
UNICODE_SHADES, ASCII_SHADES = " ░▒▓█", " .:-=+*#%"
UPPER_HALF = "▀"
LABELLED_HZ = (100, 300, 1000, 1800)
LABEL_COLUMNS = 8
TIME_LABEL_S = 10
LOST_CODE, GAP_CODE = -2, -1
"""Where a palette has the cells for them."""


@dataclass(frozen=True)
class Paint:
    """What a terminal can show of a level."""

    colours: bool
    """xterm's 256, two levels in one character."""
    unicode: bool


class StripHistory:
    """The power in each mel band, half a second a column, for as long as a strip can show."""

    def __init__(self, sample_rate_hz: int, spec: FeatureSpec) -> None:
        self._conditioner = design_conditioner(sample_rate_hz, spec)
        self._state = self._conditioner.initial_state()
        self._spec = spec
        self._column_samples = sample_rate_hz // COLUMNS_A_SECOND
        self._held: list[Float32] = []
        self._held_samples = 0
        self._discarded_samples = 0
        self._column = 0
        self._columns: dict[int, Float32] = {}

    @property
    def now(self) -> int:
        """The number of the column that is being heard, from 0."""
        return self._column

    @property
    def columns(self) -> Mapping[int, Float32]:
        """Mean power, float32 [n_mels], of those columns that were heard, by their number."""
        return self._columns

    def add(self, block: AudioBlock) -> None:
        """Take the next sound. Columns of which some was lost stay empty."""
        if block.lost_samples:
            self._skip(block.lost_samples)
        heard = block.samples[self._discarded_samples :]
        self._discarded_samples -= block.samples.size - heard.size
        self._held.append(heard)
        self._held_samples += heard.size
        if self._held_samples >= self._column_samples:
            self._take_columns(np.concatenate(self._held))

    def _skip(self, lost_samples: int) -> None:
        """Go on with the first column that begins after the loss."""
        position = self._column * self._column_samples - self._discarded_samples + self._held_samples + lost_samples
        self._column = -(-position // self._column_samples)
        self._discarded_samples = self._column * self._column_samples - position
        self._held, self._held_samples = [], 0
        self._state = self._conditioner.initial_state()

    def _take_columns(self, samples: Float32) -> None:
        whole = samples.size // self._column_samples
        for piece in samples[: whole * self._column_samples].reshape(whole, -1):
            conditioned, self._state = condition(piece, self._state, self._conditioner)
            self._columns[self._column] = mel_power(conditioned, self._spec).mean(axis=1)
            self._column += 1
        self._held = [samples[whole * self._column_samples :]]
        self._held_samples = self._held[0].size
        for column in [column for column in self._columns if column < self._column - MOST_COLUMNS]:
            del self._columns[column]


def strip_lines(history: StripHistory, spec: FeatureSpec, columns: int, rows: int, paint: Paint) -> list[Line]:
    """The strip in `rows` lines of at most `columns` columns, the highest frequencies first, and its time axis."""
    layout = _layout(history.now, columns - LABEL_COLUMNS)
    pictures = _cells(history.columns, layout, rows, paint)
    labels = {int(height_of_frequency(hz, spec) * rows): f"{hz:>4} Hz " for hz in LABELLED_HZ}
    lines = [Line(labels.get(row, " " * LABEL_COLUMNS), DIM, cells) for row, cells in enumerate(pictures)]
    return [*lines, Line(" " * LABEL_COLUMNS + _time_axis(layout), DIM)]


@dataclass(frozen=True)
class Layout:
    """Which sound each column of the strip shows."""

    joined: int
    """How many columns of the history one of the strip stands for."""
    shown: tuple[int | None, ...]
    """The number of each, in joined columns; None where nothing was heard yet, and for the sweeping gap."""


def _layout(now: int, width: int) -> Layout:
    joined = 1 if width >= ENOUGH_COLUMNS else 2
    width = min(width, MOST_COLUMNS // joined)
    last = now // joined - 1
    numbers = [last - (last - at) % width for at in range(width)]
    return Layout(joined, tuple(number if max(last - width + 1, -1) < number else None for number in numbers))


def _cells(columns: Mapping[int, Float32], layout: Layout, rows: int, paint: Paint) -> list[tuple[Cell, ...]]:
    heard = {
        at: parts[0] if len(parts) == 1 else np.mean(parts, axis=0)
        for at, number in enumerate(layout.shown)
        if number is not None and (parts := _parts(columns, number, layout.joined))
    }
    codes = np.array([[GAP_CODE if number is None else LOST_CODE for number in layout.shown]] * rows, dtype=np.intp)
    if heard:
        codes[:, list(heard)] = _codes(np.stack(list(heard.values()), axis=1), rows, paint)
    palette = _palette(paint)
    return [tuple(palette[code] for code in row) for row in codes.tolist()]


def _parts(columns: Mapping[int, Float32], number: int, joined: int) -> list[Float32]:
    return [columns[column] for column in range(number * joined, (number + 1) * joined) if column in columns]


def _codes(power: Float32, rows: int, paint: Paint) -> NDArray[np.intp]:
    """Which cells of the palette show power, float32 [n_mels, n]; integers [rows, n]."""
    if not (paint.colours and paint.unicode):
        return _levels(power, rows, len(_palette(paint)) - 2)
    levels = _levels(power, 2 * rows, len(COLOURS_256))
    return levels[0::2] * len(COLOURS_256) + levels[1::2]


@lru_cache(maxsize=4)
def _palette(paint: Paint) -> tuple[Cell, ...]:
    """The cells of all levels, or of all pairs of levels where one cell shows two; the last two are LOST and GAP."""
    if not paint.colours:
        shades = UNICODE_SHADES if paint.unicode else ASCII_SHADES
        cells = [(shade, "") for shade in shades]
    elif not paint.unicode:
        cells = [(" ", f"48;5;{colour}") for colour in COLOURS_256]
    else:
        cells = [(UPPER_HALF, f"38;5;{upper};48;5;{lower}") for upper in COLOURS_256 for lower in COLOURS_256]
    return (*cells, ("·" if paint.unicode else "?", DIM), (" ", ""))


def _levels(power: Float32, rows: int, steps: int) -> NDArray[np.intp]:
    """Power, float32 [n_mels, n], in `rows` equal groups of bands, the highest first, as steps from 0 up."""
    first_bands = np.arange(rows) * len(power) // rows
    grouped = np.maximum.reduceat(power, first_bands, axis=0)[::-1]
    levels_db = 10 * np.log10(np.maximum(grouped, POWER_FLOOR))
    top_db = max(REFERENCE_STEP_DB * np.ceil(levels_db.max() / REFERENCE_STEP_DB), LOWEST_REFERENCE_DB)
    shares = (levels_db - top_db) / RANGE_DB + 1
    return np.asarray(np.clip(shares * steps, 0, steps - 1), dtype=np.intp)


def _time_axis(layout: Layout) -> str:
    axis = [" "] * len(layout.shown)
    a_label = TIME_LABEL_S * COLUMNS_A_SECOND // layout.joined
    for at, number in enumerate(layout.shown):
        if number is not None and number % a_label == 0:
            minutes, seconds = divmod(number // a_label * TIME_LABEL_S, 60)
            axis[at:] = [*f"{minutes}:{seconds:02d}", *axis[at:]][: len(axis) - at]
    return "".join(axis)
