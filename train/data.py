"""From dataset folders to the cycles of a run's sides, with every patient on one side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from train.config import Config, DatasetConfig, Protocol
from train.cycles import Cycle, LoadCycles
from train.errors import AbsentClassError, ConfigError
from train.holdings import coverage, found_line
from train.icbhi import FULL_RECORDINGS, read_icbhi
from train.lengths import check_lengths
from train.recording import Recording
from train.splits import hold_out_patients, split_recordings
from train.sprsound import read_sprsound
from train.task import TASK_LABELS, Task, cycles_for, label_for

READERS: Final[Mapping[str, Callable[[Path], list[Recording]]]] = {"icbhi": read_icbhi, "sprsound": read_sprsound}


@dataclass(frozen=True)
class RunRecordings:
    """The recordings of one dataset, by what a run does with them."""

    training: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]
    shared_by_design: frozenset[str]
    extent: str
    """`subset` or `full`: how much of the dataset the folder holds."""
    coverage: str = ""
    """How much of the test side the folder holds, in words (`train.holdings`)."""

    @property
    def patients_held_back(self) -> set[str]:
        """Whom no earlier stage may have learnt from."""
        return {*patients(self.validation)} | ({*patients(self.test)} - self.shared_by_design)


def folders_from_arguments(arguments: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """`--data` values to a folder per dataset: `NAME=DIR`, or `DIR` alone for the only dataset. Raises ConfigError."""
    folders: dict[str, Path] = {}
    for argument in arguments:
        name, equals, folder = argument.partition("=")
        if not equals:
            name, folder = (names[0] if len(names) == 1 else ""), argument
        if name not in names or name in folders:
            wanted = " and ".join(f"--data {known}=DIR" for known in names)
            raise ConfigError(f"--data {argument}: give {wanted}, each once")
        folders[name] = Path(folder)
    missing = [name for name in names if name not in folders]
    if missing:
        raise ConfigError(f"no folder for {', '.join(missing)}: add --data {missing[0]}=DIR")
    return folders


def run_recordings(dataset: DatasetConfig, folder: Path, protocol: Protocol = "patientwise") -> RunRecordings:
    """Read one dataset and part it. Raises DatasetError, SplitError.

    Under the published protocol nobody is held back: the test side validates, too. A run for one device learns from and
    selects on its recordings alone, among the same patients as the run for all devices; it is tested on all.
    """
    recordings = read_dataset(dataset.name, folder)
    sides = split_recordings(recordings, dataset.split, folder)
    if protocol == "published":
        training, validation = sides.training, sides.test
    else:
        held = hold_out_patients(sides.training, dataset.validation_share)
        training, validation = held.training, held.test
    return RunRecordings(
        _of_device(training, dataset.device),
        _of_device(validation, dataset.device),
        sides.test,
        sides.shared_by_design,
        extent(dataset.name, recordings),
        coverage(dataset.name, dataset.split, recordings, sides.test, folder),
    )


def read_dataset(name: str, folder: Path) -> list[Recording]:
    """Its annotated recordings, none of them shorter than its annotations. Raises DatasetError, edge's errors."""
    recordings = READERS[name](folder)
    check_lengths(recordings)
    return recordings


def tell_what_is_there(folders: Mapping[str, Path]) -> None:
    """One line for each dataset on stderr: what its folder holds, and what lacks. Raises as the readers."""
    for name, folder in folders.items():
        print(found_line(name, READERS[name](folder), folder), file=sys.stderr)


def patients(recordings: Sequence[Recording]) -> list[str]:
    """Each patient once, sorted."""
    return sorted({recording.patient for recording in recordings})


def load_training_cycles(parts: Mapping[str, RunRecordings], config: Config, load: LoadCycles) -> list[Cycle]:
    """The training cycles of all datasets, with the task's labels."""
    recordings = [recording for part in parts.values() for recording in part.training]
    return cycles_for(config.task, load(recordings, config.spec))


def check_classes(parts: Mapping[str, RunRecordings], config: Config) -> None:
    """Raise AbsentClassError for a class that the training sides of all datasets together lack; reads no sound.

    A device's own recordings must have every class, whatever is trained on beside them: else the missing ones would be
    forgotten for that device.
    """
    for dataset in config.datasets:
        if dataset.device:
            _check_classes(parts[dataset.name].training, config.task, f" of {dataset.device}")
    _check_classes([recording for part in parts.values() for recording in part.training], config.task, "")


def _check_classes(recordings: Sequence[Recording], task: Task, whose: str) -> None:
    present = {label_for(task, each.label) for recording in recordings for each in recording.annotations}
    absent = [name for label, name in enumerate(TASK_LABELS[task]) if label not in present]
    if absent:
        lack = f"the training side{whose} has no {' and no '.join(absent)} cycle"
        raise AbsentClassError(f"{lack}; choose another split or more data")


def _of_device(recordings: Sequence[Recording], device: str) -> tuple[Recording, ...]:
    return tuple(recording for recording in recordings if device in ("", recording.device))


def extent(dataset: str, recordings: Sequence[Recording]) -> str:
    """`subset` or `full` for an ICBHI folder, by its number of recordings; for other sets, as given."""
    if dataset != "icbhi":
        return "as given"
    return "full" if len(recordings) >= FULL_RECORDINGS else "subset"
