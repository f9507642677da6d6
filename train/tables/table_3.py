"""Table 3: what fine-tuning for a stethoscope adds to its Score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from train import paper
from train.metrics import Scores, scores_from_confusion
from train.tables.annotations import AnnotationSet, class_counts_by_device
from train.tables.comparison import interchanged
from train.tables.group import PROTOCOLS, Group, groups, percent_spread
from train.tables.legend import legend, legend_notes, setting
from train.tables.measurement import Measurement, measurements
from train.tables.run_results import FoundRuns
from train.tables.table import Column, Table, Value
from train.tables.table_1 import SPLITS, WINDOW_S, missing_notes

COMMAND = "python -m train.reproduce table-3 --recipe NAME --data ICBHI --out DIR"

_COLUMNS = (
    Column(name="stethoscope"),
    Column(name="samples, paper"),
    Column(name="samples", decimals=1),
    Column(name="gain, paper", decimals=1, signed=True),
    Column(name="gain", decimals=1, signed=True),
    Column(name="Score, common", decimals=1),
    Column(name="Score, own", decimals=1),
    Column(name="protocol"),
    Column(name="seeds"),
    Column(name="cycles"),
    Column(name="extent"),
    Column(name="setting"),
)


def table_3(found: FoundRuns, annotations: AnnotationSet | None = None) -> Table:
    """One row for each stethoscope and kind of stage 2; shares of samples need the annotations. Raises ConfigError."""
    place = (SPLITS["80/20"], "four_class")
    chosen = [group for group in fine_tuned_groups(found) if group.place == place and group.window_s == WINDOW_S]
    letters = legend(chosen)
    shares = _sample_shares(annotations)
    rows: list[tuple[Value, ...]] = []
    for device in paper.DEVICES:
        measured = [(*_device_row(group, device), letters[setting(group, chosen)]) for group in chosen]
        printed = paper.TABLE_3[device]
        first = (device, printed.sample_share_percent, shares.get(device), printed.score_gain)
        rows += [(*first, *cells) for cells in measured or [(None,) * (len(_COLUMNS) - len(first))]]
    missing = [] if chosen else [paper.FINE_TUNED]
    return Table(
        title=f"Table 3: gain by fine-tuning for each stethoscope, 80/20 split ({place[0]}), four classes",
        facts={"unit": "points of Score and per cent, mean ± sd over seeds"},
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=(*legend_notes(letters), *_notes(annotations), *missing_notes(missing, COMMAND)),
    )


def fine_tuned_groups(found: FoundRuns) -> list[Group]:
    """The groups of the paper's whole method. Raises ConfigError."""
    return [group for group in groups(measurements(found)) if group.method == paper.FINE_TUNED]


def _device_row(group: Group, device: str) -> tuple[Value, ...]:
    tuned = [each for each in group.measurements if device in each.stage_2 and device in each.confusions()]
    before = [_scores(each.without_stage_2(), device) for each in group.measurements]
    after = [_scores(each, device) for each in tuned]
    gains = [new.score - _scores(each.without_stage_2(), device).score for new, each in zip(after, tuned, strict=True)]
    return (
        percent_spread(gains),
        percent_spread([scores.score for scores in before]),
        percent_spread([scores.score for scores in after]),
        PROTOCOLS[group.protocol],
        len(tuned),
        int(group.first.confusions()[device].sum()) if device in group.first.confusions() else 0,
        group.first.test["extent"],
    )


def _scores(measured: Measurement, device: str) -> Scores:
    counts = measured.confusions()
    return scores_from_confusion(counts[device] if device in counts else np.zeros((4, 4), dtype=np.int64))


def _sample_shares(annotations: AnnotationSet | None) -> dict[str, float]:
    """Per cent of all annotated cycles, by stethoscope."""
    if annotations is None:
        return {}
    counts = class_counts_by_device(annotations.recordings)
    everything = sum(int(cycles.sum()) for cycles in counts.values())
    return {device: 100 * int(cycles.sum()) / everything for device, cycles in counts.items()}


def _notes(annotations: AnnotationSet | None) -> Sequence[str]:
    if annotations is None:
        return ["Shares of samples are counted from annotations: add --data ICBHI."]
    cycles = sum(len(recording.cycles) for recording in annotations.recordings)
    held = f"samples: per cent of the {cycles} annotated cycles ({annotations.extent})."
    if annotations.extent == "subset":
        return [held]
    printed = {device: np.array([float(row.sample_share_percent)]) for device, row in paper.TABLE_3.items()}
    measured = {device: np.array([share]) for device, share in _sample_shares(annotations).items()}
    exchanged = [
        f"The paper prints the shares of {first} and {second} in each other's row, as in table 4; whether it did so "
        "with their gains, annotations cannot tell."
        for first, second, _ in interchanged(printed, measured)
    ]
    return [held, *exchanged]
