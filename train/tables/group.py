"""Seeds of one and the same run, taken together; runs of different configurations never are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.metrics import Scores
from train.tables.measurement import Measurement
from train.tables.method import task_of
from train.tables.run_results import RunResult
from train.tables.spread import Spread, spread

PROTOCOLS = {"patientwise": "patient-wise", "published": "best on test"}
"""How the epoch was selected: on patients held back, or, as the field does, on the test side itself."""
TESTED = ("dataset", "split", "extent", "protocol", "checkpoint")
"""What of `test.json`, beside the configuration, must be the same for figures to be averaged."""


@dataclass(frozen=True)
class Group:
    """The seeds of one method, in order, with everything else alike."""

    measurements: tuple[Measurement, ...]

    @property
    def first(self) -> Measurement:
        """Any of them, for what they have in common."""
        return self.measurements[0]

    @property
    def method(self) -> str:
        """As the paper calls it."""
        return self.first.method

    @property
    def place(self) -> tuple[str, str]:
        """Split and task."""
        return self.first.test["split"], task_of(self.first.stage_1.config)

    @property
    def protocol(self) -> str:
        """A key of `PROTOCOLS`."""
        return str(self.first.test["protocol"])

    @property
    def window_s(self) -> float:
        """Length of the window."""
        return float(self.first.stage_1.config["spec"]["window_s"])

    def percent(self, rate: Callable[[Scores], float], figures: str = "figures") -> Spread | None:
        """Mean and standard deviation over the seeds of one of the scores, in per cent."""
        return percent_spread([rate(each.scores(figures)) for each in self.measurements])


def percent_spread(fractions: Sequence[float]) -> Spread | None:
    """Over seeds, in per cent; NaN, a rate without a cycle to measure it on, is left out."""
    return spread([100 * fraction if fraction == fraction else None for fraction in fractions])


def groups(measurements: Sequence[Measurement]) -> list[Group]:
    """Measurements that differ in nothing but the seed, together; of one seed that was run twice, the first."""
    found: dict[str, dict[int, Measurement]] = {}
    for measured in measurements:
        found.setdefault(identity(measured), {}).setdefault(measured.stage_1.seed, measured)
    return [Group(tuple(seeds[seed] for seed in sorted(seeds))) for seeds in found.values()]


def identity(measured: Measurement) -> str:
    """Everything but the seed, as one string."""
    tested = {name: measured.test.get(name) for name in TESTED}
    second = {device: _without_seed(run.config) for device, run in sorted(measured.stage_2.items())}
    cycles = {device: counts.sum(axis=1).tolist() for device, counts in sorted(measured.confusions().items())}
    whole = [_without_seed(measured.stage_1.config), measured.stage_1.init, tested, cycles, second]
    return json.dumps(whole, sort_keys=True)


def group_runs(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Single runs that differ in nothing but the seed, together."""
    found = groups([Measurement("", run, {}) for run in runs])
    return [[each.stage_1 for each in group.measurements] for group in found]


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "seed"}
