"""The processes of a run, one for each GPU: `torchrun --nproc-per-node=4 -m train.run --recipe …`.

Each learns from its share of every batch, and their gradients are averaged: as far as rounding goes, a step is the one
that a single process makes. Batch normalisation keeps that on GPUs, where its statistics are taken over the whole
batch; on CPUs PyTorch has no such layer, and each process normalises its own share. The first process alone selects,
writes and shows progress. What is kept does not depend on the number of processes: a killed run may go on with another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from edge.errors import EdgeError
from train.errors import ConfigError, TrainError

T = TypeVar("T")

_PATIENCE: Final = timedelta(hours=2)
"""How long a process waits for the first, which may be evaluating; a process that dies, torchrun notices at once."""


@dataclass(frozen=True)
class Workers:
    """The processes that learn together, as one of them sees them."""

    rank: int
    """This process among them; 0 is the first."""
    count: int
    device: torch.device
    """What this process computes on."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that selects, writes and shows progress."""
        return self.rank == 0

    def share(self, batch: Sequence[T]) -> Sequence[T]:
        """The part of a batch that this process takes."""
        return batch[self.rank :: self.count]

    def from_first(self, work: Callable[[], T]) -> T:
        """What `work` returns, or the TrainError or EdgeError that it raises, in every process; done by the first."""
        if self.count == 1:
            return work()
        outcome: list[tuple[T | None, Exception | None]] = [_outcome(work) if self.is_first else (None, None)]
        distributed.broadcast_object_list(outcome, src=0, device=self.device)
        result, error = outcome[0]
        if error is not None:
            raise error
        return cast(T, result)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes of tensors of one shape, on `device`."""
        if self.count == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.count

    def normalise_together(self, network: nn.Module) -> None:
        """Let the batch normalisation inside a network see the batches of all processes; the CPU has no such layer.

        The names in its state_dict stay as they are.
        """
        if self.count > 1 and self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]

    def averaging_gradients(self, network: nn.Module) -> nn.Module:
        """The network as the forward pass of training takes it; every process gets the first one's weights."""
        if self.count == 1:
            return network
        return DistributedDataParallel(network, device_ids=[self.device] if self.device.type == "cuda" else None)


ALONE: Final = Workers(0, 1, torch.device("cpu"))


@contextmanager
def open_workers(environ: Mapping[str, str]) -> Iterator[Workers]:
    """Join the processes that torchrun started, which it tells in the environment; without it, this process alone.

    `joined_workers` finds them while the context is open. Raises ConfigError.
    """
    rank, local_rank, count = (_number(environ, name) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
    device = _claimed_device(local_rank)
    if count > 1:
        _join(rank, count, device)
    yield Workers(rank, count, device)
    # Not after an error: closing waits for the others, which may be waiting for this one until torchrun ends them all.
    if count > 1:
        distributed.destroy_process_group()


def joined_workers(environ: Mapping[str, str] = os.environ) -> Workers:
    """The processes of the open `open_workers`, or this one alone. Raises ConfigError where a command joins none."""
    if distributed.is_available() and distributed.is_initialized():
        return Workers(distributed.get_rank(), distributed.get_world_size(), accelerator())
    if _number(environ, "WORLD_SIZE") > 1:
        raise ConfigError("this command runs in one process; torchrun is for train.run")
    return Workers(0, 1, accelerator())


def accelerator() -> torch.device:
    """The GPU of this process where there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _claimed_device(local_rank: int) -> torch.device:
    gpus = torch.cuda.device_count()
    if not gpus:
        return torch.device("cpu")
    if local_rank >= gpus:
        raise ConfigError(f"process {local_rank + 1} on this machine has no GPU, there are {gpus}; start one for each")
    torch.cuda.set_device(local_rank)
    return accelerator()


def _join(rank: int, count: int, device: torch.device) -> None:
    on_gpu = device.type == "cuda"
    try:
        distributed.init_process_group(
            "nccl" if on_gpu else "gloo", timeout=_PATIENCE, device_id=device if on_gpu else None
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"process {rank} of {count} cannot join the others: {reason}") from None


def _number(environ: Mapping[str, str], name: str) -> int:
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}[name]
    text = environ.get(name, alone)
    if not text.isdecimal():
        raise ConfigError(f"the environment has {name}={text!r}, which is no number; torchrun sets it")
    return int(text)


def _outcome(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except (TrainError, EdgeError) as error:
        return None, error
