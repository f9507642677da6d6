"""What an ICBHI folder holds and lacks, and what can be made of it: `python -m train.data_report DIR`.

Every recording is read to its end. Exit code 0: nothing is wrong with what is there; 1: some recordings have faults at
which training stops, listed by name; 2: not an ICBHI folder.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from edge.errors import EdgeError
from edge.labels import LABELS
from train import paper
from train.data_report.inventory import STOPPING, Entry, Inventory, annotated_recordings, duplicates, take_inventory
from train.data_report.reproducible import Reproducible, reproducible
from train.data_report.splits import SplitInventory, fold_inventory, official_inventory
from train.errors import TrainError
from train.icbhi import FULL_RECORDINGS, find_audio_folder
from train.tables.annotations import ANNOTATION_FOLDER, AnnotatedRecording, class_counts, patients
from train.tables.table import Column, Table, Value, text, to_dict, write_values

SHOWN = 10
"""Faults of one kind that the text lists; the JSON file has all."""

_COUNTS = (
    Column(name="recordings"),
    Column(name="patients"),
    *(Column(name=label) for label in LABELS),
    Column(name="cycles"),
)


@dataclass(frozen=True)
class DataReport:
    """An ICBHI folder, its splits, and what they are enough for."""

    inventory: Inventory
    splits: tuple[SplitInventory, SplitInventory]
    """The official one and the released folds."""
    reproducible: tuple[Reproducible, ...]

    @property
    def stopping(self) -> list[str]:
        """What training stops at, one line each."""
        return [fault.message for fault in self.inventory.faults if fault.kind in STOPPING]


def report_on(folder: Path, *, progress: bool = False) -> DataReport:
    """Read a folder and its split files. Raises DatasetError for one that is not ICBHI."""

    def bar(names: Sequence[str]) -> Iterable[str]:
        shown: Iterable[str] = tqdm(names, desc="reading", unit="file", disable=None if progress else True)
        return shown

    inventory = take_inventory(folder, bar)
    official, folds = (make(folder, inventory.annotations) for make in (official_inventory, fold_inventory))
    return DataReport(inventory, (official, folds), tuple(reproducible(inventory, official, folds)))


def text_from_report(report: DataReport) -> str:
    """Everything for a terminal."""
    inventory = report.inventory
    tables = [_device_table(inventory), _side_table(report.splits), _reproducible_table(report)]
    return "\n\n".join(
        [_summary(inventory), *map(text, tables), *_faults(inventory), *_duplicates(inventory), *_strangers(inventory)]
    )


def dict_from_report(report: DataReport) -> dict[str, Any]:
    """The same as plain JSON values, with every fault and every duplicate."""
    inventory = report.inventory
    tables = {"stethoscopes": _device_table(inventory), "sides": _side_table(report.splits)}
    return {
        "folder": str(inventory.folder),
        "extent": _extent(inventory),
        **_totals(inventory),
        **{name: to_dict(table)["rows"] for name, table in tables.items()},
        "splits": {
            split.file: {
                "present": split.present,
                "notes": list(split.notes),
                "absent": {side.name: side.absent for side in split.sides},
            }
            for split in report.splits
        },
        "reproducible": [asdict(each) for each in report.reproducible],
        "faults": [asdict(fault) for fault in inventory.faults],
        "duplicates": [list(stems) for stems in duplicates(inventory.entries)],
        "passed_over": list(inventory.strangers),
    }


def _totals(inventory: Inventory) -> dict[str, Value]:
    usable = inventory.annotations
    return {
        "recordings named": len(inventory.entries),
        "recordings usable": len(usable),
        "recordings published": FULL_RECORDINGS,
        "patients": len(patients(usable)),
        "cycles": int(class_counts(usable).sum()),
        "sound, h": round(sum(entry.sound.duration_s for entry in inventory.usable if entry.sound) / 3600, 3),
        "annotation files apart": inventory.all_annotations,
    }


def _summary(inventory: Inventory) -> str:
    totals = _totals(inventory)
    line = (
        f"{find_audio_folder(inventory.folder)}: "
        f"{totals['recordings usable']} usable recordings of the database's {FULL_RECORDINGS} "
        f"({_extent(inventory)}), {totals['patients']} patients, {totals['cycles']} cycles, {totals['sound, h']} h"
    )
    # Only some copies have this folder; nothing lacks without it.
    apart = f"\n{ANNOTATION_FOLDER}: {inventory.all_annotations} annotation files, which need no audio"
    return line + (apart if inventory.all_annotations else "")


def _extent(inventory: Inventory) -> str:
    return "full" if len(inventory.usable) >= FULL_RECORDINGS else "subset"


def _device_table(inventory: Inventory) -> Table:
    found = sorted({entry.name.device for entry in inventory.usable} - set(paper.DEVICES))
    rows = [_device_row(device, [e for e in inventory.usable if e.name.device == device]) for device in paper.DEVICES]
    rows += [_device_row(device, [e for e in inventory.usable if e.name.device == device]) for device in found]
    return Table(
        title="By stethoscope",
        facts={"extent": _extent(inventory)},
        columns=(Column(name="stethoscope"), *_COUNTS, Column(name="sound, min", decimals=1), Column(name="rates, Hz")),
        rows=tuple(rows),
        notes=tuple(f"{row[0]} is not one of the database's stethoscopes." for row in rows if row[0] in found),
    )


def _device_row(device: str, entries: Sequence[Entry]) -> tuple[Value, ...]:
    sounds = [entry.sound for entry in entries if entry.sound]
    rates = Counter(sound.sample_rate_hz for sound in sounds)
    listed = ", ".join(f"{rate} ({count})" for rate, count in sorted(rates.items()))
    annotated = annotated_recordings(entries)
    return (device, *_counted(annotated), sum(sound.duration_s for sound in sounds) / 60, listed or None)


def _side_table(splits: Sequence[SplitInventory]) -> Table:
    sides = [side for split in splits for side in split.sides]
    absent = [f"{split.file} is absent: copy it from the database's page." for split in splits if not split.present]
    notes = [f"{split.file}: {note}." for split in splits for note in split.notes]
    return Table(
        title="By side of a split (fold-K: its test side; the other folds are its training side)",
        facts={},
        columns=(Column(name="side"), *_COUNTS, Column(name="absent"), Column(name="recordings published")),
        rows=tuple(
            (side.name, *_counted(side.recordings), ", ".join(side.absent) or None, side.published) for side in sides
        ),
        notes=(*absent, *notes),
    )


def _counted(recordings: Sequence[AnnotatedRecording]) -> tuple[int, ...]:
    counts = class_counts(recordings)
    return len(recordings), len(patients(recordings)), *counts.tolist(), int(counts.sum())


def _reproducible_table(report: DataReport) -> Table:
    stops = [f"Training stops until the faults below are mended: {len(report.stopping)}."] if report.stopping else []
    return Table(
        title="Tables and figures of the paper that this folder is enough for",
        facts={},
        columns=(Column(name="table or figure"), Column(name="how"), Column(name="because")),
        rows=tuple((each.what, each.how, each.reason or None) for each in report.reproducible),
        notes=tuple(stops),
    )


def _faults(inventory: Inventory) -> list[str]:
    kinds = Counter(fault.kind for fault in inventory.faults)
    return [_fault_paragraph(kind, inventory) for kind in kinds] or ["No faults."]


def _fault_paragraph(kind: str, inventory: Inventory) -> str:
    messages = [fault.message for fault in inventory.faults if fault.kind == kind]
    what = "training stops" if kind in STOPPING else "passed over"
    more = [f"  … and {len(messages) - SHOWN} more"] if len(messages) > SHOWN else []
    return "\n".join([f"{len(messages)} × {kind} ({what}):", *(f"  {each}" for each in messages[:SHOWN]), *more])


def _duplicates(inventory: Inventory) -> list[str]:
    found = duplicates(inventory.entries)
    return (
        ["\n".join(["The same sound, sample for sample:", *(f"  {', '.join(stems)}" for stems in found)])]
        if found
        else []
    )


def _strangers(inventory: Inventory) -> list[str]:
    names = inventory.strangers
    listed = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return [f"{len(names)} sound files not named as the database does, passed over: {listed}"] if names else []


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m train.data_report`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.data_report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="the database's root or its audio_and_txt_files folder"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here too")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit codes are the module's."""
    arguments = build_parser().parse_args(argv)
    try:
        report = report_on(arguments.folder, progress=True)
        if arguments.json:
            write_values(arguments.json, dict_from_report(report))
    except (TrainError, EdgeError) as error:
        print(f"train.data_report: {error}", file=sys.stderr)
        return 2
    print(text_from_report(report))
    return 1 if report.stopping else 0


if __name__ == "__main__":
    raise SystemExit(main())
