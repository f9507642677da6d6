"""The network: shapes, widths, names and the normalisation inside it."""

import pytest
import torch
from torchvision.models import resnet18, resnet34

from train.errors import ConfigError
from train.initialisation import network_from_imagenet, network_from_scratch, trunk_weights_from_imagenet
from train.network import NetworkConfig
from train.resnet import ResNetTrunk


@pytest.mark.parametrize(("depth", "width", "channels"), [(18, 0.25, 1), (34, 0.125, 3), (18, 0.5, 1)])
def test_images_become_four_logits(depth: int, width: float, channels: int) -> None:
    config = NetworkConfig(depth=depth, width=width, in_channels=channels)
    network = network_from_scratch(config, seed=0).eval()
    assert network(torch.zeros(2, channels, 64, 219, dtype=torch.uint8)).shape == (2, 4)
    assert network.trunk.out_features == round(512 * width)


def test_the_head_is_two_layers_of_128_with_relu_and_dropout() -> None:
    head = network_from_scratch(NetworkConfig(width=0.125), seed=0).head
    assert [type(layer).__name__ for layer in head] == [
        "Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear",
    ]  # fmt: skip
    assert [layer.out_features for layer in head if isinstance(layer, torch.nn.Linear)] == [128, 128, 4]


@pytest.mark.parametrize(("depth", "reference"), [(18, resnet18), (34, resnet34)])
def test_at_full_width_the_trunk_is_torchvisions_resnet(depth: int, reference: object) -> None:
    theirs = reference(weights=None).eval()  # type: ignore[operator]
    trunk = ResNetTrunk(depth, width=1.0, in_channels=3).eval()
    trunk.load_state_dict(trunk_weights_from_imagenet(theirs.state_dict(), in_channels=3))
    theirs.fc = torch.nn.Identity()
    images = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(trunk(images), theirs(images))


def test_one_channel_answers_as_three_equal_channels_do() -> None:
    theirs = resnet18(weights=None).eval()
    trunk = ResNetTrunk(18, width=1.0, in_channels=1).eval()
    trunk.load_state_dict(trunk_weights_from_imagenet(theirs.state_dict(), in_channels=1))
    theirs.fc = torch.nn.Identity()
    grey = torch.randn(1, 1, 64, 96)
    torch.testing.assert_close(trunk(grey), theirs(grey.expand(1, 3, 64, 96)), rtol=1e-4, atol=1e-4)


def test_normalisation_lives_in_the_network() -> None:
    network = network_from_scratch(NetworkConfig(width=0.125, in_channels=1), seed=0).eval()
    images = torch.randint(0, 256, (2, 1, 64, 219), dtype=torch.uint8)
    expected = network((images.float() - 100.0) / 50.0)
    network.set_normalisation(torch.tensor([100.0]), torch.tensor([50.0]))
    torch.testing.assert_close(network(images), expected)
    torch.testing.assert_close(network(images.float()), expected)
    assert {"mean", "std"} <= set(network.state_dict())


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second, third = (network_from_scratch(NetworkConfig(width=0.125), seed) for seed in (1, 1, 2))
    assert torch.equal(first.trunk.first_convolution.weight, second.trunk.first_convolution.weight)
    assert not torch.equal(first.trunk.first_convolution.weight, third.trunk.first_convolution.weight)


@pytest.mark.parametrize("fields", [{"depth": 50}, {"width": 0.0}, {"dropout": 1.0}])
def test_an_impossible_network_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        NetworkConfig(**fields)  # type: ignore[arg-type]


def test_imagenet_weights_at_half_width_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"width 1\.0, not 0\.5"):
        network_from_imagenet(NetworkConfig(width=0.5), seed=0)


def test_imagenet_weights_without_a_network_say_where_to_put_the_file(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # Port 9 refuses: the download fails as it does on a machine without a network.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(ConfigError, match=r"download https://.*resnet18.*\.pth and put it at .*checkpoints"):
        network_from_imagenet(NetworkConfig(depth=18, in_channels=3), seed=0)


def test_centred_rows_cancel_a_steady_frequency_response() -> None:
    config = NetworkConfig(depth=18, width=0.125, in_channels=1, centre_rows=True)
    network = network_from_scratch(config, seed=0).eval()
    images = torch.randint(50, 200, (2, 1, 64, 219)).float()
    response_db = torch.linspace(-40, 40, 64).reshape(1, 1, 64, 1)
    torch.testing.assert_close(network(images + response_db), network(images), rtol=1e-4, atol=1e-4)
    plain = network_from_scratch(NetworkConfig(depth=18, width=0.125, in_channels=1), seed=0).eval()
    assert not torch.allclose(plain(images + response_db), plain(images), rtol=1e-3, atol=1e-3)
