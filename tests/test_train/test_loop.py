"""One epoch and evaluation."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from edge.signal.spec import COMPACT
from train.config import OptimiserConfig
from train.cycles import Cycle
from train.dataset import EvaluationImages, evaluation_images
from train.errors import DivergenceError
from train.initialisation import network_from_scratch
from train.loop import learning_rate_at, new_learner, predict, train_epoch
from train.network import NetworkConfig, RespireNetwork

CONFIG = NetworkConfig(depth=18, width=0.125, in_channels=1, dropout=0.0)
ADAMW = OptimiserConfig(name="adamw", learning_rate=3e-3, precision="float32")


def two_classes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright upper half: class 0; bright lower half: class 2."""
    labels = torch.arange(count) % 2 * 2
    images = torch.zeros(count, 1, 64, 64, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 32 * int(label // 2) : 32 * int(label // 2) + 32] = 200
    return images, labels


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_loss_falls_on_what_can_be_learnt(name: str) -> None:
    rate = {"sgd": 3e-2, "adamw": 3e-3}[name]
    config = OptimiserConfig(name=name, learning_rate=rate, precision="float32")  # type: ignore[arg-type]
    learner = new_learner(network_from_scratch(CONFIG, seed=0), config)
    losses = [train_epoch(learner, [two_classes(8)] * 3, total_steps=12, config=config).loss for _ in range(4)]
    assert losses[-1] < 0.5 * losses[0]
    assert learner.step == 12


def test_bfloat16_trains_float32_weights() -> None:
    config = dataclasses.replace(ADAMW, precision="bfloat16")
    learner = new_learner(network_from_scratch(CONFIG, seed=0), config)
    report = train_epoch(learner, [two_classes(4)], total_steps=1, config=config)
    assert np.isfinite(report.loss)
    assert all(weights.dtype == torch.float32 for weights in learner.network.parameters())


def test_float16_scales_the_loss_and_goes_on_where_it_was() -> None:
    config = dataclasses.replace(ADAMW, precision="float16")
    learner = new_learner(network_from_scratch(CONFIG, seed=0), config)
    first = first_layer(learner.network).clone()
    # The first scales are too high for float16: such steps are left out and the scale is halved.
    report = train_epoch(learner, [two_classes(4)] * 12, total_steps=12, config=config)
    assert np.isfinite(report.loss)
    assert not torch.equal(first_layer(learner.network), first)
    another = new_learner(network_from_scratch(CONFIG, seed=1), config)
    another.load_state_dict(learner.state_dict())
    assert another.scaler.get_scale() == learner.scaler.get_scale()
    assert torch.equal(first_layer(another.network), first_layer(learner.network))


def test_a_loss_that_is_no_number_is_named_with_its_step() -> None:
    learner = new_learner(network_from_scratch(CONFIG, seed=0), ADAMW)
    images, labels = two_classes(4)
    wrong = images.float() * float("nan")
    with pytest.raises(DivergenceError, match="the loss is nan at step 2"):
        train_epoch(learner, [(images, labels), (wrong, labels)], total_steps=2, config=ADAMW)


def test_the_same_seed_gives_the_same_weights_bit_for_bit() -> None:
    def weights() -> torch.Tensor:
        learner = new_learner(network_from_scratch(dataclasses.replace(CONFIG, dropout=0.5), seed=0), ADAMW)
        torch.manual_seed(1)
        train_epoch(learner, [two_classes(8)] * 2, total_steps=2, config=ADAMW)
        return torch.cat([parameter.flatten() for parameter in learner.network.parameters()])

    assert torch.equal(weights(), weights())


def first_layer(network: RespireNetwork) -> torch.Tensor:
    return network.get_parameter("head.1.weight")


def test_the_average_lies_between_first_and_last_weights() -> None:
    config = dataclasses.replace(ADAMW, average_decay=0.9)
    learner = new_learner(network_from_scratch(CONFIG, seed=0), config)
    first = first_layer(learner.network).clone()
    train_epoch(learner, [two_classes(8)] * 3, total_steps=3, config=config)
    last, average = first_layer(learner.network), first_layer(learner.average)
    moved = (last - first).abs() > 1e-3
    share = ((average - first) / (last - first))[moved]
    assert moved.any()
    assert 0 < share.median() < 1


def test_without_averaging_the_network_itself_is_kept() -> None:
    learner = new_learner(network_from_scratch(CONFIG, seed=0), ADAMW)
    assert learner.average is learner.network


def test_the_papers_rate_is_fixed() -> None:
    rates = {learning_rate_at(step, 100, OptimiserConfig()) for step in range(100)}
    assert rates == {1e-3}


def test_cosine_rises_then_falls_to_nothing() -> None:
    config = OptimiserConfig(learning_rate=1.0, schedule="cosine", warmup_share=0.1)
    rates = [learning_rate_at(step, 100, config) for step in range(101)]
    assert rates[0] < rates[5] < rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-12)


def test_predictions_are_probabilities_and_use_no_random_numbers(make_cycle: Callable[..., Cycle]) -> None:
    network = network_from_scratch(dataclasses.replace(CONFIG, dropout=0.5), seed=0).train()
    held = evaluation_images([make_cycle(np.random.default_rng(0).standard_normal(4000, dtype=np.float32))], COMPACT)
    state = torch.get_rng_state()
    first, second = predict(network, held), predict(network, held)
    np.testing.assert_array_equal(first, second)
    assert first.sum() == pytest.approx(1.0, abs=1e-6)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_long_cycle_gets_the_mean_over_its_pieces(make_cycle: Callable[..., Cycle]) -> None:
    network = network_from_scratch(CONFIG, seed=0)
    cycle = make_cycle()
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 64, 219), dtype=np.uint8)
    apart = predict(network, EvaluationImages(images, np.arange(3), (cycle, cycle, cycle)))
    joined = predict(network, EvaluationImages(images, np.array([0, 1, 1]), (cycle, cycle)))
    np.testing.assert_allclose(joined, [apart[0], apart[1:].mean(axis=0)], atol=1e-6)


def test_nothing_to_predict_gives_no_rows() -> None:
    held = EvaluationImages(np.zeros((0, 1, 64, 219), dtype=np.uint8), np.zeros(0, dtype=np.int64), ())
    assert predict(network_from_scratch(CONFIG, seed=0), held).shape == (0, 4)
