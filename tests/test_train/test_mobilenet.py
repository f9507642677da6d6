"""The network that AudioSet taught, and its three answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.labels import LABELS
from train.errors import ConfigError
from train.initialisation import AUDIOSET_FILE, WEIGHTS_VARIABLE, network_from_audioset, network_from_scratch
from train.network import NetworkConfig
from train.signs import probabilities_from_signs, signs_from_labels, signs_loss

CONFIG = NetworkConfig(backbone="mn04", in_channels=1, answers="signs")
SHARED_WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights"
logits = st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3)


@given(logits)
def test_answers_become_probabilities_of_the_classes(answers: list[float]) -> None:
    tensor = torch.tensor([answers])
    probabilities = probabilities_from_signs(tensor)
    assert probabilities.min() >= 0
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-4)
    assert 1 - probabilities[0, 0].item() == pytest.approx(torch.sigmoid(tensor[0, 2]).item(), abs=1e-5)


def test_a_crackle_and_a_wheeze_are_both() -> None:
    answers = torch.tensor([[-9.0, -9.0, -9.0], [9.0, -9.0, 9.0], [-9.0, 9.0, 9.0], [9.0, 9.0, 9.0]])
    assert [LABELS[at] for at in probabilities_from_signs(answers).argmax(dim=1)] == list(LABELS)
    assert signs_from_labels(torch.arange(4)).tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]]


def test_right_answers_cost_less_than_wrong_ones() -> None:
    right = torch.tensor([[5.0, -5.0, 5.0]])
    assert signs_loss(right, torch.tensor([1]), 0.05) < signs_loss(right, torch.tensor([2]), 0.05)


@pytest.mark.parametrize("shape", [(1, 49, 501), (1, 64, 219)])
def test_images_of_any_size_become_three_answers(shape: tuple[int, int, int]) -> None:
    network = network_from_scratch(CONFIG, seed=0).eval()
    answers = network(torch.zeros((2, *shape), dtype=torch.uint8))
    assert answers.shape == (2, 3)
    assert network.probabilities_from(answers).shape == (2, 4)


def test_audioset_weights_fill_all_but_the_last_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (SHARED_WEIGHTS / AUDIOSET_FILE).is_file():
        pytest.skip("the AudioSet weights are not here")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(SHARED_WEIGHTS))
    network = network_from_audioset(CONFIG, seed=0)
    with np.load(SHARED_WEIGHTS / AUDIOSET_FILE) as theirs:
        np.testing.assert_array_equal(network.trunk.first_convolution.weight.detach(), theirs["features.0.0.weight"])
        head = dict(network.head.named_parameters())["0.weight"].detach()
        np.testing.assert_array_equal(head, theirs["classifier.2.weight"])
        fc1 = dict(network.trunk.named_parameters())["maps.4.block.2.fc1.weight"].detach()
        np.testing.assert_array_equal(fc1[:, :, 0, 0], theirs["features.4.block.2.conc_se_layers.0.fc1.weight"])
    assert network.std.item() == pytest.approx(80)


def test_without_the_weights_one_line_says_where_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match=r"no AudioSet weights in .*download https://\S+ into the last") as caught:
        network_from_audioset(CONFIG, seed=0)
    assert "\n" not in str(caught.value)


def test_each_initialisation_is_for_its_own_network() -> None:
    with pytest.raises(ConfigError, match="backbone mn04"):
        network_from_audioset(NetworkConfig(), seed=0)
    with pytest.raises(ValueError, match="backbone"):
        NetworkConfig(backbone="vgg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="signs"):
        NetworkConfig(answers="signs", classes=2)
