"""Two trained runs, without and with blank region clipping, and the recordings that neither of them learnt from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.signal.clipping import clipped_rows
from edge.signal.image import image_from_window, levels_from_window
from edge.signal.spec import FeatureSpec
from edge.signal.windows import windows_from_cycle
from train.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint
from train.config import DatasetConfig, Protocol
from train.cycles import Cycle, cut_recording
from train.data import extent, patients, run_recordings
from train.distributed import accelerator
from train.errors import CheckpointError, ConfigError
from train.network import RespireNetwork
from train.recording import Recording
from train.run_folder import CONFIG_FILE
from train.task import Task, cycles_for

T = TypeVar("T")

BATCH = 64


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run folder with its best checkpoint."""

    folder: Path
    dataset: DatasetConfig
    """The first of its datasets, whose test side it is measured on."""
    protocol: Protocol
    checkpoint: Checkpoint

    @property
    def spec(self) -> FeatureSpec:
        """What its images look like."""
        return self.checkpoint.spec

    @property
    def epoch(self) -> int:
        """Of the best checkpoint, from 1."""
        return int(self.checkpoint.training_run["epoch"]) + 1

    def network(self) -> RespireNetwork:
        """In evaluation mode, on the GPU where there is one."""
        return network_from_checkpoint(self.checkpoint).to(accelerator())


@dataclass(frozen=True, eq=False)
class Comparison:
    """What figures 3 and 5 are made from."""

    before: TrainedRun
    """Without clipping."""
    after: TrainedRun
    recordings: tuple[Recording, ...]
    """With annotations, all of them new to both runs."""
    place: str
    """Dataset, extent and side, in words."""


@dataclass(frozen=True, eq=False)
class SeenWindow:
    """A window of a cycle as a network sees it."""

    cycle: Cycle
    image: NDArray[np.uint8]
    cut_rows: int
    """Mel rows that clipping cut from the top."""
    share: float
    """Of the cycle: 1 / the number of its windows."""


def compare(before: Path, after: Path, data: Path) -> Comparison:
    """Two run folders that differ in clipping, with what their split tests on in the dataset folder `data`.

    A split without a test side: the patients that they validated on. Raises ConfigError where they cannot be compared,
    CheckpointError, DatasetError, SplitError.
    """
    runs = open_run(before), open_run(after)
    _check_clipping(*runs)
    (place, recordings), (other_place, other_recordings) = (_held_back(run, data) for run in runs)
    if place != other_place or [each.name for each in recordings] != [each.name for each in other_recordings]:
        raise ConfigError(f"{before} holds back {place}, {after} {other_place}: give two runs on the same split")
    if not recordings:
        raise ConfigError(f"{before} holds nobody back in {data} ({place}); give runs on a split with a test side")
    return Comparison(*runs, recordings, place)


def open_run(folder: Path) -> TrainedRun:
    """A run folder's dataset and best checkpoint. Raises CheckpointError."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["config"]
        # Not the whole configuration: how an older run augmented need not be known here.
        dataset, protocol = DatasetConfig(**config["datasets"][0]), config.get("protocol", "patientwise")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} is not a run folder: its {CONFIG_FILE} cannot be read ({error})") from None
    return TrainedRun(folder, dataset, protocol, load_checkpoint(folder / "best"))


def seen_windows(recordings: Sequence[Recording], spec: FeatureSpec, task: Task) -> Iterator[SeenWindow]:
    """Every window of every cycle, as evaluation makes them, one recording in memory at a time."""
    for recording in tqdm(recordings, desc="looking", unit="file", disable=None):
        for cycle in cycles_for(task, cut_recording(recording, spec)):
            windows = windows_from_cycle(cycle.samples, spec)
            for window in windows:
                cut_rows = clipped_rows(levels_from_window(window, spec)[::-1], spec)
                yield SeenWindow(cycle, image_from_window(window, spec), cut_rows, 1 / len(windows))


def has_blank_rows(window: SeenWindow) -> bool:
    """Whether clipping found blank rows at the top; it always cuts the first row below them, too."""
    return window.cut_rows > 1


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in their order, up to `BATCH` at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _check_clipping(before: TrainedRun, after: TrainedRun) -> None:
    if before.spec.blank_grey_level or not after.spec.blank_grey_level:
        raise ConfigError(
            f"--before takes a run without blank region clipping (blank_grey_level 0), --after one with it; "
            f"{before.folder} has {before.spec.blank_grey_level}, {after.folder} {after.spec.blank_grey_level}"
        )
    unclipped = dataclasses.replace(after.spec, blank_grey_level=0)
    if before.spec.fingerprint() != unclipped.fingerprint() or before.checkpoint.task != after.checkpoint.task:
        raise ConfigError(
            f"{before.folder} and {after.folder} differ in more than clipping: their images or their task"
        )


def _held_back(run: TrainedRun, data: Path) -> tuple[str, tuple[Recording, ...]]:
    dataset = run.dataset
    parts = run_recordings(dataset, data, run.protocol)
    everything = (*parts.training, *parts.validation, *parts.test)
    side = f"test side of {dataset.split}" if parts.test else "validation patients"
    recordings = tuple(each for each in parts.test or parts.validation if each.annotations)
    held = f"{dataset.name} ({extent(dataset.name, everything)}), {side}"
    return f"{held}, {len(patients(recordings))} patients", recordings
