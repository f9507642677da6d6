"""Grad-CAM++ against the paper's definition, and what a map of a real network looks like."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.attention import attention_grid, attention_maps, grad_cam_plus_plus, scores_from_features
from train.network import NetworkConfig, RespireNetwork

IMAGE_SHAPE = (1, 64, 219)


@pytest.fixture(scope="module")
def network() -> RespireNetwork:
    torch.manual_seed(0)
    network = RespireNetwork(NetworkConfig(depth=18, width=0.125, in_channels=1))
    network.set_normalisation(torch.tensor([60.0]), torch.tensor([50.0]))
    return network.eval()


def noise(images: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (images, *IMAGE_SHAPE), dtype=np.uint8)


def test_a_case_worked_out_by_hand() -> None:
    # Two maps of 1 x 2. The first sums to 3, the second to 4.
    features = torch.tensor([[[[1.0, 2.0]], [[4.0, 0.0]]]])
    gradients = torch.tensor([[[[1.0, -1.0]], [[0.5, 2.0]]]])
    # First: 1 / (2 + 3) = 0.2, and nothing where the gradient falls. Second: 0.5 / (2 + 2) + 2 / (2 + 8) = 0.325.
    expected = torch.tensor([[[0.2 * 1 + 0.325 * 4, 0.2 * 2 + 0.325 * 0]]])
    torch.testing.assert_close(grad_cam_plus_plus(features, gradients), expected)


def test_the_weights_are_those_of_the_derivatives_of_the_exponential_score() -> None:
    """The paper's definition as it stands, with every derivative taken by autograd."""
    torch.manual_seed(1)
    features = torch.rand(1, 3, 2, 2, dtype=torch.float64)
    head = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    head = head.double()

    def exponential_score(flat: Tensor) -> Tensor:
        return torch.exp(head(flat.reshape(features.shape))).squeeze()

    flat = features.flatten().requires_grad_()
    first, second, third = _derivatives(exponential_score(flat), flat)
    totals = features.sum(dim=(2, 3)).repeat_interleave(4)
    alpha = second / (2 * second + totals * third)
    weights = (alpha * first.relu()).reshape(3, 4).sum(dim=1)
    expected = torch.einsum("k,bkhw->bhw", weights, features)

    gradient = torch.autograd.grad(head(flat.reshape(features.shape)).squeeze(), flat)[0].reshape(features.shape)
    found = grad_cam_plus_plus(features, gradient)
    # exp(score) is a common factor of the first derivatives only.
    torch.testing.assert_close(found / found.max(), expected / expected.max())


def _derivatives(value: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The first, second and third derivative with respect to each single place."""
    (first,) = torch.autograd.grad(value, at, create_graph=True)
    second, third = torch.zeros_like(at), torch.zeros_like(at)
    for place in range(at.numel()):
        (row,) = torch.autograd.grad(first[place], at, create_graph=True)
        second[place] = row[place]
        third[place] = torch.autograd.grad(row[place], at, retain_graph=True)[0][place]
    return first.detach(), second.detach(), third.detach()


def test_a_library_weighs_the_maps_alike() -> None:
    library = pytest.importorskip("pytorch_grad_cam")
    generator = torch.Generator().manual_seed(2)
    features = torch.rand(2, 5, 3, 4, generator=generator)
    # Large gradients, or the library's guard against 0 / 0 shows.
    gradients = 100 * torch.randn(2, 5, 3, 4, generator=generator)
    weigh = library.GradCAMPlusPlus.get_cam_weights
    weights = torch.from_numpy(weigh(None, None, None, None, features.numpy(), gradients.numpy()))
    expected = torch.einsum("bk,bkhw->bhw", weights, features)
    torch.testing.assert_close(grad_cam_plus_plus(features, gradients), expected, rtol=1e-4, atol=0)


def test_a_network_that_looks_at_one_place_is_caught_looking_there() -> None:
    network = network_that_sees_brightness()
    image = np.zeros((1, 1, 64, 224), dtype=np.uint8)
    image[0, 0, 40:, 180:] = 255
    (found,) = attention_maps(network, image, np.array([0]))
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert row >= 32
    assert column >= 160
    assert found[:16, :64].max() < 0.5


@torch.no_grad()
def network_that_sees_brightness() -> RespireNetwork:
    """Every convolution takes the mean of its window, every score is the sum of what comes out."""
    network = RespireNetwork(NetworkConfig(depth=18, width=0.125, in_channels=1))
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.fill_(1 / module.weight[0].numel())
        if isinstance(module, torch.nn.Linear):
            module.weight.fill_(1)
            module.bias.zero_()
    return network


def test_maps_have_the_image_s_size_and_reach_from_0_to_1(network: RespireNetwork) -> None:
    found = attention_maps(network, noise(3))
    assert found.shape == (3, 64, 219)
    assert found.dtype == np.float32
    assert found.min() >= 0
    np.testing.assert_allclose(found.max(axis=(1, 2)), 1)


@pytest.mark.parametrize("level", [0, 60, 255])
def test_a_constant_image_has_a_finite_map(network: RespireNetwork, level: int) -> None:
    found = attention_maps(network, np.full((2, *IMAGE_SHAPE), level, dtype=np.uint8))
    assert np.isfinite(found).all()
    assert 0 <= found.min() <= found.max() <= 1


def test_nothing_speaking_for_a_class_is_a_map_of_zeros() -> None:
    silent = RespireNetwork(NetworkConfig(depth=18, width=0.125, in_channels=1))
    for parameter in silent.head[-1].parameters():
        torch.nn.init.zeros_(parameter)
    assert not attention_maps(silent, noise(2)).any()


def test_the_class_is_the_network_s_own_unless_it_is_given(network: RespireNetwork) -> None:
    images = noise(4)
    said = network(torch.from_numpy(images)).argmax(dim=1).numpy()
    np.testing.assert_array_equal(attention_maps(network, images), attention_maps(network, images, said))
    other = attention_maps(network, images, (said + 1) % 4)
    assert not np.array_equal(attention_maps(network, images), other)


def test_an_image_s_map_does_not_depend_on_its_batch(network: RespireNetwork) -> None:
    images = noise(4)
    alone = np.concatenate([attention_maps(network, images[at : at + 1]) for at in range(4)])
    np.testing.assert_allclose(attention_maps(network, images), alone, atol=1e-4)


def test_weights_and_gradients_stay_as_they_were(network: RespireNetwork) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    attention_maps(network, noise(2))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_scores_looked_back_from_are_the_network_s(network: RespireNetwork) -> None:
    images = torch.from_numpy(noise(2))
    features = network.trunk.features(network.normalised(images))
    torch.testing.assert_close(scores_from_features(network, features), network(images))


def test_layer_4_is_a_coarse_grid(network: RespireNetwork) -> None:
    assert attention_grid(network, (1, 64, 219)) == (2, 7)
    assert attention_grid(network, (1, 192, 657)) == (6, 21)
