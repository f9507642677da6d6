"""What one seed of one method measured; stage 2's four networks put together as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.errors import ConfigError
from train.metrics import Scores, scores_from_confusion
from train.tables.method import is_fine_tuned, method_of
from train.tables.run_results import Confusions, FoundRuns, RunFolder, RunResult


@dataclass(frozen=True)
class Measurement:
    """Test figures of a common model or, with `stage_2`, of the networks that follow it."""

    method: str
    stage_1: RunResult
    stage_2: Mapping[str, RunResult]
    """By stethoscope; each serves its own. The common model serves those without one."""

    @property
    def test(self) -> Mapping[str, Any]:
        """What was tested on, and under which protocol."""
        return self.stage_1.test

    def confusions(self, figures: str = "figures") -> dict[str, NDArray[np.int64]]:
        """Counts by stethoscope, each from the network that serves it."""
        own = {device: run.confusions(figures) for device, run in self.stage_2.items()}
        common = self.stage_1.confusions(figures)
        return {device: own[device][device] if device in own else counts for device, counts in common.items()}

    def scores(self, figures: str = "figures") -> Scores:
        """Over all test cycles of all stethoscopes."""
        return scores_from_confusion(total(self.confusions(figures)))

    def without_stage_2(self) -> Measurement:
        """The common model alone."""
        return Measurement(method_of(self.stage_1.config), self.stage_1, {})

    @property
    def cycles(self) -> int:
        """Cycles tested."""
        return int(total(self.confusions()).sum())


def total(confusions: Confusions) -> NDArray[np.int64]:
    """Counts over all stethoscopes."""
    return np.asarray(np.sum(list(confusions.values()), axis=0), dtype=np.int64)


def measurements(found: FoundRuns) -> list[Measurement]:
    """Every common model and, where its stage 2 is complete, the networks fine-tuned from it; one-device runs aside.

    Raises ConfigError for a stage 2 that was tested on other cycles than its stage 1.
    """
    common = {run.folder: run for run in found.finished if not run.device}
    alone = [Measurement(method_of(run.config), run, {}) for run in common.values()]
    begun = {stage_1_folder(run, common) for run in found.unfinished if is_fine_tuned(run.config)}
    tuned = [
        Measurement(f"{method_of(common[folder].config)}+FT", common[folder], seconds)
        for folder, seconds in stage_2_runs(found.finished, common).items()
        if folder not in begun
    ]
    for measured in tuned:
        _check_same_cycles(measured)
    return alone + tuned


def stage_2_runs(runs: Sequence[RunResult], common: Mapping[Path, RunResult]) -> dict[Path, dict[str, RunResult]]:
    """Stage 2 runs by the folder of their common model and by stethoscope."""
    seconds: dict[Path, dict[str, RunResult]] = defaultdict(dict)
    for run in runs:
        if is_fine_tuned(run.config) and (first := stage_1_folder(run, common)):
            seconds[first][run.device] = run
    return dict(seconds)


def stage_1_folder(run: RunFolder, common: Collection[Path]) -> Path | None:
    """Which of the folders holds the checkpoint that a run began from: where that lay, or beside it if both moved."""
    first = Path(run.init).parent
    return next((folder for folder in (first.resolve(), run.folder.parent / first.name) if folder in common), None)


def one_device_runs(found: FoundRuns) -> list[RunResult]:
    """Runs that learnt from one stethoscope only, without a common model before."""
    return [run for run in found.finished if run.device and not is_fine_tuned(run.config)]


def _check_same_cycles(measured: Measurement) -> None:
    common = measured.stage_1.confusions()
    for device, run in measured.stage_2.items():
        if device in common and not np.array_equal(common[device].sum(axis=1), run.confusions()[device].sum(axis=1)):
            raise ConfigError(
                f"{run.folder} was tested on other cycles of {device} than its stage 1, {measured.stage_1.folder}; "
                "train it again on the same data and split"
            )
