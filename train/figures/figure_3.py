"""Figure 3: one cycle's spectrogram and where the networks look, before and after blank region clipping."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from train.dataset import EvaluationImages
from train.errors import ConfigError
from train.figures.average_attention import AverageAttention, Classes, average_over_windows, class_words
from train.figures.comparison import Comparison, SeenWindow, TrainedRun, batches, has_blank_rows, seen_windows
from train.figures.figure_5 import BLANK_FROM_HZ
from train.figures.picture import new_picture
from train.figures.spectrogram import draw_image, draw_overlay, label_frequencies
from train.loop import predict
from train.network import RespireNetwork
from train.tables.table import Column, Table
from train.task import TASK_LABELS

WHEN = ("before", "after")
HOW_CHOSEN = (
    "Chosen to show the effect, as the paper's: of the windows with blank rows at the top, one that the first network "
    "misses and the second finds (else one that the first misses), with the most rows cut."
)


@dataclass(frozen=True, eq=False)
class Example:
    """The same window of one cycle, as each network sees it, with its answer."""

    before: SeenWindow
    after: SeenWindow
    said_before: int
    said_after: int

    @property
    def interest(self) -> tuple[bool, bool, bool, int]:
        """Larger for a better example of what clipping does: see `HOW_CHOSEN`."""
        true = self.after.cycle.label
        missed = self.said_before != true
        return has_blank_rows(self.after), missed and self.said_after == true, missed, self.after.cut_rows


def figure_3(compared: Comparison, classes: Classes, cycle: tuple[str, int] | None = None) -> tuple[Figure, Table]:
    """The picture, and its numbers; `cycle` names a recording and the position of the cycle in it.

    Raises ConfigError where that cycle is not among those that the runs are compared on.
    """
    example = choose_example(compared, cycle)
    looks = (
        _look(compared.before, example.before, example.said_before, classes),
        _look(compared.after, example.after, example.said_after, classes),
    )
    return _picture(compared, example, looks), _table(compared, example, looks, classes, named=cycle is not None)


def choose_example(compared: Comparison, cycle: tuple[str, int] | None = None) -> Example:
    """The most telling window, the first of equals, or the first one of `cycle`. Raises as `figure_3`."""
    if cycle is None:
        return max(_examples(compared), key=lambda example: example.interest)
    recording, index = cycle
    named = tuple(each for each in compared.recordings if each.name == recording)
    for example in _examples(dataclasses.replace(compared, recordings=named)):
        if example.after.cycle.index == index:
            return example
    raise ConfigError(f"--cycle {recording}:{index} is not among the cycles of {compared.place}; name another")


@dataclass(frozen=True, eq=False)
class _Look:
    """One network before one window."""

    window: SeenWindow
    said: str
    attention: AverageAttention


def _examples(compared: Comparison) -> Iterator[Example]:
    before, after = (_with_answers(run, compared) for run in (compared.before, compared.after))
    for (seen_before, said_before), (seen_after, said_after) in zip(before, after, strict=True):
        yield Example(seen_before, seen_after, said_before, said_after)


def _with_answers(run: TrainedRun, compared: Comparison) -> Iterator[tuple[SeenWindow, int]]:
    network = run.network()
    for batch in batches(seen_windows(compared.recordings, run.spec, run.checkpoint.task)):
        yield from zip(batch, _answers(network, batch), strict=True)


def _answers(network: RespireNetwork, windows: Sequence[SeenWindow]) -> list[int]:
    images = np.stack([window.image for window in windows])
    each_alone = EvaluationImages(images, np.arange(len(windows)), tuple(window.cycle for window in windows))
    answers: list[int] = predict(network, each_alone).argmax(axis=1).tolist()
    return answers


def _look(run: TrainedRun, window: SeenWindow, said: int, classes: Classes) -> _Look:
    whole = dataclasses.replace(window, share=1.0)
    attention = average_over_windows(run.network(), [whole], run.spec, classes)
    return _Look(window, TASK_LABELS[run.checkpoint.task][said], attention)


def _picture(compared: Comparison, example: Example, looks: tuple[_Look, _Look]) -> Figure:
    picture = new_picture(11, 7)
    for (spectrogram, attention), look, when in zip(picture.subplots(2, 2), looks, WHEN, strict=True):
        spec, cut_rows = look.attention.spec, look.window.cut_rows
        draw_image(spectrogram, look.window.image, spec)
        draw_overlay(attention, look.window.image, look.attention.image, spec)
        for axes in (spectrogram, attention):
            label_frequencies(axes, cut_rows, spec)
            axes.set_xlabel("s")
        spectrogram.set_title(f"{when} clipping: {cut_rows} of {spec.n_mels} mel rows cut")
        half = 100 * look.attention.lower_half_share
        attention.set_title(f"says {look.said}; {half:.0f} % of attention in the lower half")
    picture.suptitle(f"{_words(compared, example)}\n{compared.place}")
    return picture


def _table(
    compared: Comparison, example: Example, looks: tuple[_Look, _Look], classes: Classes, *, named: bool
) -> Table:
    return Table(
        title=f"Figure 3: {_words(compared, example)}",
        facts={"side": compared.place, "class shown": class_words(classes), "cycles": 1},
        columns=(
            Column(name="clipping"),
            Column(name="network says"),
            Column(name="mel rows cut"),
            Column(name="% of attention in the lower half", decimals=1),
            Column(name=f"% above {BLANK_FROM_HZ:.0f} Hz", decimals=1),
        ),
        rows=tuple(
            (
                when,
                look.said,
                look.window.cut_rows,
                100 * look.attention.lower_half_share,
                100 * look.attention.share_above(BLANK_FROM_HZ),
            )
            for when, look in zip(WHEN, looks, strict=True)
        ),
        notes=("One window proves nothing; figure 5 averages.", *(() if named else (HOW_CHOSEN,))),
    )


def _words(compared: Comparison, example: Example) -> str:
    cycle = example.after.cycle
    true = TASK_LABELS[compared.after.checkpoint.task][cycle.label]
    return f"cycle {cycle.index} of {cycle.recording} ({cycle.device}), annotated {true}"
