"""The batches of a run: what is drawn for whom, and by whom images are made."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from train.batches import Batches, EpochDraws, loader_count
from train.config import Config
from train.cycles import Cycle
from train.distributed import ALONE, Workers
from train.errors import ConfigError
from train.initialisation import network_from_scratch
from train.loop import new_learner, train_epoch
from train.recipes import smoke

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cycles(make_cycle: Callable[..., Cycle]) -> list[Cycle]:
    rng = np.random.default_rng(0)
    return [make_cycle(rng.standard_normal(8000, dtype=np.float32), label=label % 4) for label in range(10)]


def config(**fields: object) -> Config:
    optimiser = replace(smoke().optimiser, precision="float32")
    return replace(smoke(), optimiser=optimiser, **fields)  # type: ignore[arg-type]


def test_processes_share_every_batch_of_the_run_among_them(cycles: list[Cycle]) -> None:
    whole = list(EpochDraws(cycles, config(), ALONE))
    shares = [list(EpochDraws(cycles, config(), Workers(rank, 2, CPU))) for rank in range(2)]
    assert [len(batch) for batch in whole] == [4, 4]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert first == batch[::2]
        assert second == batch[1::2]


def test_every_epoch_is_drawn_anew_and_repeatably(cycles: list[Cycle]) -> None:
    draws = EpochDraws(cycles, config(), ALONE)
    first = list(draws)
    draws.epoch = 1
    second = list(draws)
    draws.epoch = 0
    assert list(draws) == first != second


def test_a_short_epoch_is_one_batch_that_can_be_shared(cycles: list[Cycle]) -> None:
    short = EpochDraws(cycles, config(samples_per_epoch=0, batch_size=64), Workers(0, 4, CPU))
    assert [len(batch) for batch in short] == [2]
    assert len(short) == 1


def test_an_epoch_shorter_than_the_processes_are_many_is_refused(cycles: list[Cycle]) -> None:
    with pytest.raises(ConfigError, match="16 processes cannot share an epoch of 10"):
        EpochDraws(cycles, config(samples_per_epoch=0), Workers(0, 16, CPU))


def test_both_makers_of_images_give_the_same_step(cycles: list[Cycle]) -> None:
    def loss(features: str) -> float:
        chosen = config(features=features)
        learner = new_learner(network_from_scratch(replace(chosen.network, dropout=0.0), seed=0), chosen.optimiser)
        return train_epoch(learner, Batches(cycles, chosen, ALONE).of_epoch(0), 2, chosen.optimiser).loss

    assert loss("torch") == pytest.approx(loss("numpy"), rel=1e-3)


def test_the_twin_makes_the_images_of_the_definition(cycles: list[Cycle]) -> None:
    here, there = (next(Batches(cycles, config(features=each), ALONE).of_epoch(0)) for each in ("numpy", "torch"))
    assert torch.equal(here[1], there[1])
    assert here[0].dtype == there[0].dtype == torch.uint8
    assert (here[0].int() - there[0].int()).abs().max() <= 1


def test_loaders_live_from_epoch_to_epoch_and_change_nothing(cycles: list[Cycle]) -> None:
    batches, alone = (Batches(cycles, config(workers=workers), ALONE) for workers in (1, 0))
    for epoch in range(2):
        for (images, labels), (others, same) in zip(batches.of_epoch(epoch), alone.of_epoch(epoch), strict=True):
            assert torch.equal(images, others)
            assert torch.equal(labels, same)


def test_making_batches_takes_none_of_the_networks_random_numbers(cycles: list[Cycle]) -> None:
    before = torch.get_rng_state()
    list(Batches(cycles, config(), ALONE).of_epoch(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("asked", "cores", "processes", "expected"),
    [(-1, 1, 1, 0), (-1, 2, 1, 1), (-1, 16, 1, 15), (-1, 64, 1, 16), (-1, 16, 4, 3), (-1, 4, 4, 0), (3, 2, 1, 3)],
)
def test_loaders_are_as_many_as_asked_or_as_cores_allow(asked: int, cores: int, processes: int, expected: int) -> None:
    assert loader_count(asked, cores, processes) == expected
