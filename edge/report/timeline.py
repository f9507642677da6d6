"""Drawings over time, as SVG in percent of the width: marks on the spectrogram, lanes beneath it, the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.report.findings import ABNORMAL, Findings, SoundEvent, Stretch
from edge.report.spectrogram import height_of_frequency
from edge.report.text import clock, kind_class, label_words, shown
from edge.signal.spec import FeatureSpec

Box = Stretch | SoundEvent

LETTERS = {"normal": "N", "crackle": "C", "wheeze": "W", "both": "B"}
LETTER_SHARE = 0.018
"""Of the width: a box that is narrower has no room for a letter."""
WORD_SHARE = 0.12
MAX_MARKS = 40
TICKS_HZ = (100, 500, 1000, 1500, 2000)
TICK_STEPS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600)
MAX_TICKS = 8
"""What a telephone's width has room for."""


@dataclass(frozen=True)
class Lane:
    """A named line of boxes."""

    name: str
    boxes: Sequence[Box]


def lanes(findings: Findings) -> list[Lane]:
    """Of annotated cycles, what listener and classifier heard; of windows, which overlap, a lane for each label."""
    if findings.in_cycles:
        return [Lane("listener", findings.annotated.found), Lane("classifier", findings.heard.found)]
    by_label = [(label, [s for s in findings.flagged.found if s.label == label]) for label in ABNORMAL]
    drawn = [*by_label, (None, findings.without_label())]
    found = [Lane(label_words(label), boxes) for label, boxes in drawn if boxes]
    return [*found, Lane("lasted", findings.events)] if findings.events else found


def lane_svg(lane: Lane, span_s: float) -> str:
    """One lane; a letter in each box says its class, and what has no label is hatched."""
    return f'<svg class="lane" aria-hidden="true">{"".join(_box(box, span_s) for box in lane.boxes)}</svg>'


def marks_svg(findings: Findings, span_s: float) -> str:
    """What lies over the spectrogram: abnormal stretches between two lines, what has no label under a hatching.

    Of more than `MAX_MARKS` stretches the lines would hide the sound; the lanes show them.
    """
    abnormal = [stretch for stretch in findings.flagged.found if stretch.label is not None]
    marked = [*findings.without_label(), *(abnormal if len(abnormal) <= MAX_MARKS else [])]
    marks = "".join(_mark(stretch, span_s) for stretch in marked)
    return (
        f'<svg class="marks" aria-hidden="true">{marks}<line class="playhead" y1="0" y2="100%" x1="-9" x2="-9"/></svg>'
    )


def frequency_axis_svg(spec: FeatureSpec) -> str:
    """The upright axis in hertz."""
    ticks = ((frequency, 100 * height_of_frequency(frequency, spec)) for frequency in TICKS_HZ)
    lines = "".join(
        f'<text x="100%" dx="-8" y="{y:.2f}%" dy=".35em">{frequency}{" Hz" if frequency == TICKS_HZ[-1] else ""}</text>'
        f'<line x1="100%" x2="92%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
        for frequency, y in ticks
    )
    return f'<svg class="axis upright" aria-hidden="true">{lines}</svg>'


def time_axis_svg(sound_s: float, span_s: float) -> str:
    """The level axis: seconds, or minutes and hours for a long recording."""
    step_s = next((step for step in TICK_STEPS_S if sound_s / step <= MAX_TICKS), TICK_STEPS_S[-1])
    ticks = (number * step_s for number in range(int(sound_s / step_s) + 1))
    lines = "".join(_time_tick(at_s, sound_s, span_s) for at_s in ticks)
    return f'<svg class="axis level" aria-hidden="true">{lines}</svg>'


def time_unit(sound_s: float) -> str:
    """What the numbers of the level axis are."""
    return "seconds" if sound_s < 100 else "minutes:seconds" if sound_s < 3600 else "hours:min:s"


def _time_tick(at_s: float, sound_s: float, span_s: float) -> str:
    x = _percent(at_s, span_s)
    anchor = "start" if at_s == 0 else "end" if at_s > 0.97 * span_s else "middle"
    text = clock(at_s, sound_s).removesuffix(" s").removesuffix(".0")
    return f'<line x1="{x}" x2="{x}" y1="0" y2="5"/><text x="{x}" y="18" text-anchor="{anchor}">{text}</text>'


def _box(box: Box, span_s: float) -> str:
    share = (box.end_s - box.start_s) / span_s
    drawn = (
        f'<rect class="{kind_class(box.label)}" x="{_percent(box.start_s, span_s)}" '
        f'width="{100 * share:.3f}%" y="0" height="100%"/>'
    )
    if share < LETTER_SHARE or box.label not in LETTERS:
        return drawn
    centre = _percent((box.start_s + box.end_s) / 2, span_s)
    return f'{drawn}<text class="{kind_class(box.label)}" x="{centre}" y="50%" dy=".35em">{LETTERS[box.label]}</text>'


def _mark(stretch: Stretch, span_s: float) -> str:
    begin, end = _percent(stretch.start_s, span_s), _percent(stretch.end_s, span_s)
    share = (stretch.end_s - stretch.start_s) / span_s
    if stretch.label is None:
        drawn = f'<rect class="hatched" x="{begin}" width="{100 * share:.3f}%" y="0" height="100%"/>'
    else:
        drawn = "".join(
            f'<line class="{style}" x1="{x}" x2="{x}" y1="0" y2="100%"/>'
            for style in ("under", "edge")
            for x in (begin, end)
        )
    if share < WORD_SHARE:
        return drawn
    return (
        f'{drawn}<text x="{begin}" dx="5" y="{_word_height(stretch.label)}">{shown(label_words(stretch.label))}</text>'
    )


def _word_height(label: str | None) -> int:
    """In pixels from the top; each label at its own, because windows overlap."""
    return 16 * (1 + (ABNORMAL.index(label) if label in ABNORMAL else len(ABNORMAL)))


def _percent(at_s: float, span_s: float) -> str:
    return f"{100 * at_s / span_s:.3f}%"
