"""What share of an epoch is data and what is the network."""

from dataclasses import dataclass, replace

from benchmarks.augmentation import simulated_training_cycles
from benchmarks.report import Table
from train.batches import Batches
from train.config import Config, DatasetConfig
from train.distributed import ALONE
from train.initialisation import network_from_scratch
from train.loop import EpochReport, new_learner, train_epoch
from train.recipes import compact_half, smoke

COLUMNS = (
    "network",
    "data, ms/sample",
    "network, ms/sample",
    "data, share of the epoch",
    "waiting, a process beside",
    "samples/s",
)
NOTE = """\
`compact_half` as it trains, and the same with a network an eighth as wide (ResNet-18): an epoch of {batches} batches of
{batch_size} simulated samples, after one that is not counted, on this machine's processor with all of its cores. Data
and network: made in turn by one process. Waiting: share of an epoch spent waiting for samples that a process beside
makes meanwhile, as recipes have it (`workers=1`), and the samples a second that are trained on then."""


@dataclass(frozen=True)
class EpochEffort:
    """How long an epoch is."""

    batches: int
    batch_size: int


def measure_epochs(effort: EpochEffort) -> Table:
    """A row for each network."""
    recipe = compact_half()
    narrow = replace(recipe, network=replace(smoke().network, in_channels=recipe.network.in_channels))
    rows = [[name, *_figures(config, effort)] for name, config in (("compact_half", recipe), ("narrow", narrow))]
    note = NOTE.format(batches=effort.batches, batch_size=effort.batch_size)
    return Table("An epoch on the processor", COLUMNS, rows, note)


def _figures(config: Config, effort: EpochEffort) -> list[str]:
    samples = effort.batches * effort.batch_size
    datasets = (DatasetConfig(name="simulated"),)
    config = replace(config, datasets=datasets, batch_size=effort.batch_size, samples_per_epoch=samples)
    alone, beside = (_second_epoch(replace(config, workers=workers)) for workers in (0, 1))
    network_seconds = alone.seconds - alone.waiting_seconds
    return [
        f"{1000 * alone.waiting_seconds / samples:.1f}",
        f"{1000 * network_seconds / samples:.1f}",
        f"{alone.waiting_seconds / alone.seconds:.0%}",
        f"{beside.waiting_seconds / beside.seconds:.0%}",
        f"{samples / beside.seconds:.0f}",
    ]


def _second_epoch(config: Config) -> EpochReport:
    batches = Batches(simulated_training_cycles(config.spec.sample_rate_hz), config, ALONE)
    learner = new_learner(network_from_scratch(config.network, config.seed), config.optimiser)
    steps = 2 * batches.steps_per_epoch
    train_epoch(learner, batches.of_epoch(0), steps, config.optimiser)
    return train_epoch(learner, batches.of_epoch(1), steps, config.optimiser)
