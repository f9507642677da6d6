"""Table 4: breathing cycles per class and stethoscope, with what the text says of the same counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from edge.labels import LABELS
from train import paper
from train.tables.annotations import (
    MISNAMED,
    MISNAMED_AS,
    AnnotatedRecording,
    AnnotationSet,
    class_counts,
    class_counts_by_device,
    patients,
    patients_by_device,
)
from train.tables.comparison import Comparison, differences, interchanged
from train.tables.table import Column, Table, Value

COUNTED = ("patients", *LABELS, "total")


def table_4(annotations: AnnotationSet) -> Table:
    """The paper's counts beside the measured ones; the notes name every number that differs."""
    rows = device_rows(annotations.recordings)
    shown: list[tuple[Value, ...]] = []
    differing = set()
    for name, (printed, measured) in rows.items():
        differing |= {(len(shown), 2 + at) for at in range(len(COUNTED)) if printed[at] != measured[at]}
        shown += [(name, "paper", *printed), (name, "measured", *measured)]
    return Table(
        title="Table 4: breathing cycles across classes and stethoscopes, and patients per stethoscope",
        facts=facts(annotations),
        columns=tuple(Column(name=name) for name in ("stethoscope", "source", *COUNTED)),
        rows=tuple(shown),
        differing=frozenset(differing),
        notes=tuple(subset_notes(annotations) or full_notes(annotations)),
    )


def facts(annotations: AnnotationSet) -> dict[str, Value]:
    """What holds for every figure from these annotations."""
    return {
        "annotations": annotations.extent,
        "annotated recordings": f"{len(annotations.recordings)} of {paper.RECORDINGS}",
        "cycles": sum(len(recording.cycles) for recording in annotations.recordings),
    }


def device_rows(recordings: Sequence[AnnotatedRecording]) -> dict[str, tuple[list[int], list[int]]]:
    """Per stethoscope, and for all, the paper's and the measured patients, cycles per class and total."""
    counts, people = class_counts_by_device(recordings), patients_by_device(recordings)
    rows: dict[str, tuple[list[int], list[int]]] = {}
    for device, printed in paper.TABLE_4.items():
        cycles = counts.get(device, np.zeros(len(LABELS), dtype=np.int64))
        measured = [len(people.get(device, ())), *cycles.tolist(), int(cycles.sum())]
        rows[device] = ([printed.patients, *printed.cycles, printed.total], measured)
    total = class_counts(recordings)
    rows["all"] = (
        [paper.PATIENTS_OVER_DEVICES, *paper.CLASS_CYCLES, paper.CYCLES],
        [sum(map(len, people.values())), *total.tolist(), int(total.sum())],
    )
    return rows


def comparisons(recordings: Sequence[AnnotatedRecording]) -> list[Comparison]:
    """Every number of table 4 and of the text about the same counts, beside the measured one."""
    cells = [
        Comparison(f"table 4, {device}, {name}", printed, counted)
        for device, row in device_rows(recordings).items()
        for name, printed, counted in zip(COUNTED, *row, strict=True)
    ]
    return cells + _text_comparisons(recordings)


def _text_comparisons(recordings: Sequence[AnnotatedRecording]) -> list[Comparison]:
    measured = {
        name: dict(zip(COUNTED, counted, strict=True)) for name, (_, counted) in device_rows(recordings).items()
    }
    everything = measured["all"]
    everywhere = f"section 2, patients heard at {paper.LOCATIONS} places (it says all)"
    normal = 100 * everything["normal"] / everything["total"]
    crackle = 100 * measured["AKGC417L"]["crackle"] / max(1, everything["crackle"])
    found = [
        Comparison("section 2, recordings", paper.RECORDINGS, len(recordings)),
        Comparison("section 2, patients", paper.PATIENTS, len(patients(recordings))),
        Comparison(everywhere, paper.PATIENTS, _heard_everywhere(recordings)),
        Comparison("section 2.1, per cent normal", paper.NORMAL_SHARE_PERCENT, normal),
        Comparison("section 6.1, per cent of crackle from AKGC417L", paper.AKGC417L_CRACKLE_PERCENT, crackle),
    ]
    for device, skew in paper.DEVICE_SKEW.items():
        cycles, people = measured[device]["total"], measured[device]["patients"]
        found += [
            Comparison(f"section 6.1, {device}, patients", skew.patients, people),
            Comparison(f"section 6.1, {device}, cycles", skew.cycles, cycles),
            Comparison(
                f"section 6.1, {device}, cycles per patient", skew.cycles_per_patient, cycles / max(1, people), 1
            ),
        ]
    return found


def subset_notes(annotations: AnnotationSet) -> list[str]:
    """Why counts of a part say nothing about the paper; nothing where all recordings are annotated."""
    if annotations.extent == "full":
        return []
    held = f"{len(annotations.recordings)} of {paper.RECORDINGS} recordings are annotated here"
    return [f"subset: {held}, so that the counts must differ from the paper's (*) and say nothing about it."]


def full_notes(annotations: AnnotationSet) -> list[str]:
    """What the whole database says about the paper's numbers."""
    recordings = annotations.recordings
    compared = comparisons(recordings)
    named = differences(compared)
    agreeing = f"{len(compared) - len(named)} of {len(compared)} numbers of the paper are the measured ones."
    return [
        f"{agreeing} {'The others:' if named else ''}".strip(),
        *named,
        *_interchanged_rows(recordings),
        *_overlap(recordings),
        *_misnamed_recording(recordings),
        *_same_digits(),
    ]


def _interchanged_rows(recordings: Sequence[AnnotatedRecording]) -> list[str]:
    rows = {name: row for name, row in device_rows(recordings).items() if name != "all"}
    found = interchanged(
        {name: np.array(printed, dtype=float) for name, (printed, _) in rows.items()},
        {name: np.array(counted, dtype=float) for name, (_, counted) in rows.items()},
    )
    return [
        f"The paper prints {first} and {second} in each other's row, in the columns "
        f"{', '.join(COUNTED[at] for at in columns)}: exchanged, these cells agree."
        for first, second, columns in found
    ]


def _overlap(recordings: Sequence[AnnotatedRecording]) -> list[str]:
    devices = defaultdict(set)
    for recording in recordings:
        devices[recording.name.patient].add(recording.name.device)
    twice = {patient: " and ".join(sorted(found)) for patient, found in sorted(devices.items()) if len(found) > 1}
    listed = ", ".join(f"{patient} ({found})" for patient, found in twice.items())
    total = sum(map(len, devices.values()))
    return [f"Patients add up to {total}, not {len(devices)}, as {len(twice)} were heard through two: {listed}."]


def _misnamed_recording(recordings: Sequence[AnnotatedRecording]) -> list[str]:
    """Which of its two names the paper counts a recording by, and whether that explains the cycles in the text."""
    if MISNAMED not in {recording.name for recording in recordings}:
        return []
    others = [recording for recording in recordings if recording.name != MISNAMED]
    by_name, without = (len(patients_by_device(each)[MISNAMED.device]) for each in (recordings, others))
    moved = next(len(recording.cycles) for recording in recordings if recording.name == MISNAMED)
    cycles = moved + int(class_counts_by_device(recordings)[MISNAMED_AS].sum())
    said = paper.DEVICE_SKEW[MISNAMED_AS].cycles
    return [
        f"{'_'.join(MISNAMED.session)} is {MISNAMED.device} by its file name, {MISNAMED_AS} in the official split "
        f"file. By the file name {MISNAMED.device} has {by_name} patients, else {without}; table 4 says "
        f"{paper.TABLE_4[MISNAMED.device].patients}. Counted as {MISNAMED_AS} it would make {cycles} cycles there, "
        f"which {'is' if cycles == said else 'is not'} the {said} of section 6.1."
    ]


def _same_digits() -> list[str]:
    return [
        f"Section 6.1 gives {device} {skew.cycles} cycles, table 4 {paper.TABLE_4[device].total}: the same digits in "
        "another order."
        for device, skew in paper.DEVICE_SKEW.items()
        if skew.cycles != paper.TABLE_4[device].total
        and sorted(str(skew.cycles)) == sorted(str(paper.TABLE_4[device].total))
    ]


def _heard_everywhere(recordings: Sequence[AnnotatedRecording]) -> int:
    """Patients with recordings at as many places as the paper says of all."""
    places = defaultdict(set)
    for recording in recordings:
        places[recording.name.patient].add(recording.name.location)
    return sum(len(found) == paper.LOCATIONS for found in places.values())
