"""A run's epochs as event files for TensorBoard: `tensorboard --logdir RUN`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from train.history import History

FOLDER = "tensorboard"
EVENT_FILES = "events.out.tfevents.*"
FIGURES = ("score", "sensitivity", "specificity", "abnormal_auc")


def write_tensorboard(run: Path, history: History, ended_at_s: float | None = None) -> None:
    """All epochs so far, lines of `metrics.jsonl`, in `run`/tensorboard, in place of what an earlier call wrote there.

    Written whole, so that a run that was killed and goes on shows each epoch once; a TensorBoard that is open drops the
    epochs that it has when it is told to begin at step 0. `ended_at_s`: when the last epoch ended, in seconds since
    1970; now, if not given.
    """
    # Two seconds that only a training run need spend.
    from torch.utils.tensorboard.writer import SummaryWriter

    folder = run / FOLDER
    earlier = list(folder.glob(EVENT_FILES))
    times_s = _end_times_s(history, time.time() if ended_at_s is None else ended_at_s)
    with SummaryWriter(str(folder), purge_step=0) as writer:
        for epoch, time_s in zip(history, times_s, strict=True):
            for name, value in _scalars(epoch):
                writer.add_scalar(name, value, global_step=epoch["epoch"] + 1, walltime=time_s)
    for path in earlier:
        path.unlink(missing_ok=True)


def _scalars(epoch: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield "training/loss", epoch["loss"]
    yield "training/learning_rate", epoch["learning_rate"]
    yield "training/seconds", epoch["seconds"]
    for dataset, found in epoch["validation"].items():
        for figure in FIGURES:
            if found[figure] is not None:
                yield f"{dataset}/{figure}", found[figure]


def _end_times_s(history: History, ended_at_s: float) -> list[float]:
    """When each epoch would have ended, had the run never been stopped."""
    times_s = [ended_at_s]
    for epoch in reversed(history[1:]):
        times_s.append(times_s[-1] - epoch["seconds"] - epoch["validation_seconds"])
    return times_s[::-1] if history else []
