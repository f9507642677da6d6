"""Which of the paper's tables and figures an ICBHI folder is enough for."""

from __future__ import annotations

from dataclasses import dataclass

from edge.labels import LABELS
from train import paper
from train.data_report.inventory import Inventory
from train.data_report.splits import Side, SplitInventory, training_side
from train.icbhi import FULL_RECORDINGS
from train.tables.annotations import class_counts, recordings_by_device

NOT_AT_ALL = "not at all"
TEST_FOLD = "fold-4"
"""The paper's 80/20 test side."""


@dataclass(frozen=True)
class Reproducible:
    """One table or figure and how much of it this folder gives."""

    what: str
    how: str
    """`full`, `subset` or `not at all`."""
    reason: str = ""


def reproducible(inventory: Inventory, official: SplitInventory, folds: SplitInventory) -> list[Reproducible]:
    """Every table and figure of the paper that comes from data."""
    annotated = max(inventory.all_annotations, sum(bool(entry.cycles) for entry in inventory.entries))
    extent = _extent(len(inventory.usable))
    train, test = training_side(folds, TEST_FOLD), _side(folds, TEST_FOLD)
    challenge = (_side(official, "official train"), _side(official, "official test"))
    lack = _lack(folds, train, test)
    others = ("table 1, 80/20", "table 2", "figures 3 and 5")
    return [
        _item("table 4, table 5, figure 4", _extent(annotated), "" if annotated else "no annotations"),
        _item("table 1, 60/40", extent, _lack(official, *challenge), _partly(*challenge)),
        *(_item(what, extent, lack, _partly(test)) for what in others),
        _stage_2(extent, lack, train, test),
        _item(f"table 6 ({paper.TABLE_6_DEVICE})", extent, lack or _lacking_classes(train, paper.TABLE_6_DEVICE)),
    ]


def _item(what: str, extent: str, lack: str, partly: str = "") -> Reproducible:
    return Reproducible(what, NOT_AT_ALL, lack) if lack else Reproducible(what, extent, partly)


def _partly(*sides: Side) -> str:
    """Such as `official test has 305 of 381 recordings`, for the sides that are not whole."""
    short = [(side, side.published) for side in sides if side.published is not None]
    return "; ".join(
        f"{side.name} has {len(side.recordings)} of {published} recordings"
        for side, published in short
        if len(side.recordings) < published
    )


def _stage_2(extent: str, lack: str, train: Side, test: Side) -> Reproducible:
    """Fine-tuning needs every class of a stethoscope to learn from, and its cycles to be tested on."""
    what = "table 1 (FT), table 3, figure 6"
    wanting = {device: _lacking_classes(train, device) for device in paper.DEVICES}
    wanting = {device: words or _untested(test, device) for device, words in wanting.items()}
    tuned = [device for device, words in wanting.items() if not words]
    if lack or not tuned:
        return Reproducible(what, NOT_AT_ALL, lack or "; ".join(wanting.values()))
    left = [words for words in wanting.values() if words]
    return Reproducible(what, extent, f"only {', '.join(tuned)}: {'; '.join(left)}" if left else "")


def _lack(split: SplitInventory, train: Side, test: Side) -> str:
    """Why nothing can be trained and tested on a split; empty if it can."""
    if not split.present:
        return f"{split.file} is absent"
    if train.absent_classes:
        return f"no {' and no '.join(train.absent_classes)} cycle to train on"
    normal, *abnormal = class_counts(test.recordings).tolist()
    return "" if normal and any(abnormal) else f"{test.name} has no {'abnormal' if normal else 'normal'} cycle"


def _lacking_classes(train: Side, device: str) -> str:
    own = recordings_by_device(train.recordings).get(device, [])
    counts = dict(zip(LABELS, class_counts(own).tolist(), strict=True))
    absent = [label for label, cycles in counts.items() if not cycles]
    return f"{device} has no {' and no '.join(absent)} cycle to train on" if absent else ""


def _untested(test: Side, device: str) -> str:
    return "" if device in recordings_by_device(test.recordings) else f"{device} has no cycle to be tested on"


def _side(split: SplitInventory, name: str) -> Side:
    return next((side for side in split.sides if side.name == name), Side(name, ()))


def _extent(recordings: int) -> str:
    return "full" if recordings >= FULL_RECORDINGS else "subset"
