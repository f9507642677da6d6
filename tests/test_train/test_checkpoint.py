"""A checkpoint gives back what was put in, and is refused when it is not whole."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from edge.signal.spec import COMPACT
from train.checkpoint import (
    RECORD_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
    network_from_checkpoint,
    save_checkpoint,
)
from train.errors import CheckpointError
from train.initialisation import network_from_run, network_from_scratch
from train.network import NetworkConfig, RespireNetwork

CONFIG = NetworkConfig(depth=18, width=0.125, in_channels=1)


@pytest.fixture
def network() -> RespireNetwork:
    made = network_from_scratch(CONFIG, seed=0).eval()
    made.set_normalisation(torch.tensor([90.0]), torch.tensor([40.0]))
    return made


@pytest.fixture
def folder(network: RespireNetwork, tmp_path: Path) -> Path:
    checkpoint = Checkpoint(
        network=CONFIG,
        spec=COMPACT,
        mean=(90.0,),
        std=(40.0,),
        weights=network.state_dict(),
        training_run={"recipe": "smoke", "seed": 0},
        metrics={"validation": {"icbhi": {"score": 0.5}}},
    )
    save_checkpoint(tmp_path / "best", checkpoint)
    return tmp_path / "best"


def test_a_loaded_network_answers_as_the_saved_one(folder: Path, network: RespireNetwork) -> None:
    checkpoint = load_checkpoint(folder)
    images = torch.randint(0, 256, (2, 1, 64, 219), dtype=torch.uint8)
    assert torch.equal(network_from_checkpoint(checkpoint)(images), network(images))
    assert (checkpoint.network, checkpoint.spec, checkpoint.mean, checkpoint.std) == (CONFIG, COMPACT, (90.0,), (40.0,))
    assert checkpoint.metrics["validation"]["icbhi"]["score"] == 0.5


def test_the_weights_file_holds_tensors_only(folder: Path) -> None:
    weights = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())


def test_no_half_written_file_stays_behind(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [RECORD_FILE, WEIGHTS_FILE]


def test_a_changed_byte_is_refused_with_both_hashes(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"has sha256|cannot be read"):
        load_checkpoint(folder)


def test_features_made_otherwise_are_refused_with_both_fingerprints(folder: Path) -> None:
    record = json.loads((folder / RECORD_FILE).read_text())
    record["feature_fingerprint"] = "0123456789abcdef"
    (folder / RECORD_FILE).write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=f"0123456789abcdef.*{COMPACT.fingerprint()}"):
        load_checkpoint(folder)


def test_other_labels_are_refused(folder: Path) -> None:
    record = json.loads((folder / RECORD_FILE).read_text())
    record["labels"] = ["crackle", "normal", "wheeze", "both"]
    (folder / RECORD_FILE).write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="has labels"):
        load_checkpoint(folder)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint folder"):
        load_checkpoint(tmp_path)


def test_another_network_cannot_begin_from_it(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="choose a matching recipe"):
        network_from_run(folder, dataclasses.replace(CONFIG, width=0.25))


def test_dropout_may_differ_from_the_checkpoint(folder: Path, network: RespireNetwork) -> None:
    begun = network_from_run(folder, dataclasses.replace(CONFIG, dropout=0.1))
    assert torch.equal(begun.trunk.first_convolution.weight, network.trunk.first_convolution.weight)
    assert begun.head[0].p == 0.1
