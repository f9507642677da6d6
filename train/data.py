"""From dataset folders to the cycles of a run's sides, with every patient on one side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.labels import LABELS
from train.config import Config, DatasetConfig
from train.cycles import Cycle, load_cycles
from train.errors import ConfigError, SplitError
from train.icbhi import FULL_RECORDINGS, read_icbhi
from train.recording import Recording
from train.splits import hold_out_patients, split_recordings
from train.sprsound import read_sprsound

READERS: Final[Mapping[str, Callable[[Path], list[Recording]]]] = {"icbhi": read_icbhi, "sprsound": read_sprsound}


@dataclass(frozen=True)
class RunRecordings:
    """The recordings of one dataset, by what a run does with them."""

    training: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]
    shared_by_design: frozenset[str]

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


def run_recordings(dataset: DatasetConfig, folder: Path) -> RunRecordings:
    """Read one dataset and part it. Raises DatasetError, SplitError."""
    sides = split_recordings(READERS[dataset.name](folder), dataset.split, folder)
    held = hold_out_patients(sides.training, dataset.validation_share)
    return RunRecordings(held.training, held.test, sides.test, sides.shared_by_design)


def patients(recordings: Sequence[Recording]) -> list[str]:
    """Each patient once, sorted."""
    return sorted({recording.patient for recording in recordings})


def load_training_cycles(parts: Mapping[str, RunRecordings], config: Config) -> list[Cycle]:
    """The training cycles of all datasets. Raises SplitError for a class that no dataset has."""
    recordings = [recording for part in parts.values() for recording in part.training]
    cycles = load_cycles(recordings, config.spec, progress=True)
    absent = [name for label, name in enumerate(LABELS) if not any(cycle.label == label for cycle in cycles)]
    if absent:
        raise SplitError(f"the training side has no {' and no '.join(absent)} cycle; choose another split or more data")
    return cycles


def extent(dataset: str, recordings: Sequence[Recording]) -> str:
    """`subset` or `full` for an ICBHI folder, by its number of recordings; for other sets, as given."""
    if dataset != "icbhi":
        return "as given"
    return "full" if len(recordings) >= FULL_RECORDINGS else "subset"
