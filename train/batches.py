"""The batches of a run: drawn anew for each epoch, made by other processes, their images on the CPU or the GPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm import tqdm

from train.config import Config
from train.cycles import Cycle
from train.dataset import TrainingImages, TrainingWindows
from train.distributed import Workers
from train.errors import ConfigError
from train.sampling import Draw, draw_epoch, draw_probabilities
from train.torch_features import ImageMaker

Batch = tuple[Tensor, Tensor]
"""Images, uint8 [B, C, H, W], and labels, int64 [B]."""

_MOST_LOADERS = 16
"""Each holds two batches ready, which for colour images is 48 MB."""


class Batches:
    """The training batches of a run: of each, the share of one process.

    A sample is a function of its draw, and draws of seed and epoch: who makes them, and how many at once, changes
    nothing. Processes that make samples are started once and fork, so that no cycle is copied.
    """

    def __init__(self, cycles: Sequence[Cycle], config: Config, workers: Workers) -> None:
        self._draws = EpochDraws(cycles, config, workers)
        self._config = config
        self._workers = workers
        self._maker = ImageMaker(config.spec).to(workers.device) if config.features == "torch" else None
        self._loader = self._new_loader(cycles)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; a last, smaller one is dropped."""
        return len(self._draws)

    def of_epoch(self, epoch: int) -> Iterator[Batch]:
        """Go once through an epoch's batches, with a progress bar on the first process's terminal."""
        self._draws.epoch = epoch
        title, shown = f"epoch {epoch + 1}/{self._config.epochs}", self._workers.is_first
        bar = tqdm(self._loader, desc=title, unit="batch", leave=False, disable=None if shown else True)
        return map(self._on_device, bar)

    def _on_device(self, batch: Sequence[Tensor]) -> Batch:
        if self._maker is None:
            images, labels = batch
            return images, labels
        windows, masks, labels = (part.to(self._workers.device, non_blocking=True) for part in batch)
        return self._maker(windows, masks), labels

    def _new_loader(self, cycles: Sequence[Cycle]) -> DataLoader[Any]:
        config = self._config
        samples = TrainingImages if self._maker is None else TrainingWindows
        dataset: Dataset[Any] = samples(cycles, config.spec, config.augmentation)
        loaders = loader_count(config.workers, available_cores(), self._workers.count)
        return DataLoader(
            dataset,
            batch_sampler=self._draws,
            num_workers=loaders,
            persistent_workers=loaders > 0,
            # Elsewhere, and on Linux from Python 3.14 on, each would be sent a copy of all cycles.
            multiprocessing_context="fork" if loaders and sys.platform == "linux" else None,
            # Its own, so that it takes no number from dropout's.
            generator=torch.Generator(),
            pin_memory=self._workers.device.type == "cuda",
        )


class EpochDraws(Sampler[list[Draw]]):
    """One process's share of the draws of each batch, of the epoch that `epoch` is set to."""

    def __init__(self, cycles: Sequence[Cycle], config: Config, workers: Workers) -> None:
        shares = {dataset.name: dataset.share for dataset in config.datasets}
        self._probabilities = draw_probabilities(cycles, config.class_shares, shares)
        self._samples = config.samples_per_epoch or len(cycles)
        size = min(config.batch_size, self._samples)
        self._batch_size = size - size % workers.count
        self._seed = config.seed
        self._workers = workers
        self.epoch = 0
        if not self._batch_size:
            raise ConfigError(f"{workers.count} processes cannot share an epoch of {self._samples}; start fewer")

    def __len__(self) -> int:
        return self._samples // self._batch_size

    def __iter__(self) -> Iterator[list[Draw]]:
        draws, size = draw_epoch(self._probabilities, self._samples, self._seed, self.epoch), self._batch_size
        for start in range(0, len(self) * size, size):
            yield list(self._workers.share(draws[start : start + size]))


def check_batch_size(config: Config, processes: int) -> None:
    """Raise ConfigError for batches that cannot be shared out equally: means of shares would not be that of samples."""
    size = config.batch_size
    if size % processes:
        fitting = max(processes, size - size % processes)
        raise ConfigError(f"{processes} processes cannot share batches of {size}; give --set batch_size={fitting}")


def loader_count(asked: int, cores: int, processes: int) -> int:
    """Processes that make samples for each that trains: as asked, or for -1 what the cores allow."""
    return asked if asked >= 0 else min(cores // processes - 1, _MOST_LOADERS) if cores > processes else 0


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
