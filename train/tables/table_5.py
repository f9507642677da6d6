"""Table 5: which share of each class comes from which stethoscope."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.labels import LABELS
from train import paper
from train.tables.annotations import AnnotationSet, class_counts_by_device
from train.tables.comparison import Comparison, differences, interchanged
from train.tables.table import Column, Table, Value
from train.tables.table_4 import facts, subset_notes

DECIMALS = 2
_WORDS = (Column(name="stethoscope"), Column(name="source"))
Shares = dict[str, NDArray[np.float64]]
"""Share of each class, float64 [4], by stethoscope."""


def table_5(annotations: AnnotationSet) -> Table:
    """The paper's shares beside the measured ones; the notes name every cell that differs."""
    measured = measured_shares(annotations)
    rows: list[tuple[Value, ...]] = []
    differing = set()
    for device, printed in paper.TABLE_5.items():
        cells = _comparisons({device: measured[device]})
        differing |= {(len(rows), 2 + at) for at, cell in enumerate(cells) if not cell.agrees}
        rows += [(device, "paper", *printed), (device, "measured", *measured[device].tolist())]
    return Table(
        title="Table 5: distribution of breathing cycles across classes and stethoscopes (shares of a class)",
        facts=facts(annotations),
        columns=(*_WORDS, *(Column(name=label, decimals=DECIMALS) for label in LABELS)),
        rows=tuple(rows),
        differing=frozenset(differing),
        notes=(*(subset_notes(annotations) or _full_notes(measured)), *own_table_4_notes()),
    )


def measured_shares(annotations: AnnotationSet) -> Shares:
    """Each stethoscope's share of every class in the annotations."""
    counts = class_counts_by_device(annotations.recordings)
    return class_shares({device: counts.get(device, np.zeros(len(LABELS), np.int64)) for device in paper.DEVICES})


def class_shares(counts: Mapping[str, NDArray[np.int64]]) -> Shares:
    """Each stethoscope's share of every class, from its cycles per class, [4]; 0 for a class without a cycle."""
    totals = np.maximum(1, np.sum(list(counts.values()), axis=0))
    return {device: np.asarray(cycles / totals, dtype=np.float64) for device, cycles in counts.items()}


def _comparisons(measured: Shares, against: str = "") -> list[Comparison]:
    return [
        Comparison(
            f"table 5, {device}, {label}{against}", paper.TABLE_5[device][at], float(measured[device][at]), DECIMALS
        )
        for device in measured
        for at, label in enumerate(LABELS)
    ]


def _full_notes(measured: Shares) -> list[str]:
    compared = _comparisons(measured)
    named = differences(compared)
    agreeing = f"{len(compared) - len(named)} of {len(compared)} cells of the paper are the measured ones."
    return [
        f"{agreeing} {'The others:' if named else ''}".strip(),
        *named,
        *_exchanged(measured),
        *_column_sums(measured),
    ]


def _exchanged(measured: Shares) -> list[str]:
    printed = {device: np.array(shares) for device, shares in paper.TABLE_5.items()}
    return [
        f"The paper prints {first} and {second} in each other's row, in the columns "
        f"{', '.join(LABELS[at] for at in columns)} only: exchanged, these cells agree."
        for first, second, columns in interchanged(printed, measured, DECIMALS)
    ]


def _column_sums(measured: Shares) -> list[str]:
    """Columns whose shares, each rounded, would not add up to 1: there a printed share may have been bent to fit."""
    notes = []
    for at, label in enumerate(LABELS):
        correct = sum(round(float(shares[at]), DECIMALS) for shares in measured.values())
        printed = sum(shares[at] for shares in paper.TABLE_5.values())
        if round(correct, DECIMALS) != 1 and round(printed, DECIMALS) == 1:
            notes.append(
                f"The column {label}, rounded correctly, adds up to {correct:.{DECIMALS}f}; as printed, to "
                f"{printed:.{DECIMALS}f}."
            )
    return notes


def own_table_4_notes() -> list[str]:
    """The cells of table 5 that do not follow from the paper's own table 4."""
    counts = {device: np.array(row.cycles) for device, row in paper.TABLE_4.items()}
    named = differences(_comparisons(class_shares(counts), against=" (by the paper's own table 4)"))
    return [f"{len(named)} cells do not follow from the paper's own table 4 either:", *named] if named else []
