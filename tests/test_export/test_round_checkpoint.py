from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.signal.spec import COMPACT
from export import round_checkpoint
from export.errors import ExportError
from export.golden import golden_images
from export.inference import torch_probabilities
from train.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint


@pytest.fixture(scope="module")
def rounded_folder(checkpoint_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rounded")
    assert round_checkpoint.main(["--checkpoint", str(checkpoint_folder), "--output", str(folder)]) == 0
    return folder


def test_rounded_checkpoint_is_half_the_size_and_computes_nearly_the_same(
    checkpoint_folder: Path, checkpoint: Checkpoint, rounded_folder: Path
) -> None:
    sizes = [(folder / "weights.pt").stat().st_size for folder in (rounded_folder, checkpoint_folder)]
    assert sizes[0] < 0.6 * sizes[1]
    rounded, images = load_checkpoint(rounded_folder), golden_images(COMPACT)
    found, expected = (torch_probabilities(network_from_checkpoint(each), images) for each in (rounded, checkpoint))
    assert 0 < np.abs(found - expected).max() < 0.02
    assert rounded.training_run["weights_stored_as"] == "float16"


def test_matrices_are_float16_and_statistics_float32(rounded_folder: Path) -> None:
    weights = load_checkpoint(rounded_folder).weights
    assert weights["trunk.layer1.0.conv1.weight"].dtype == torch.float16
    assert weights["head.1.weight"].dtype == torch.float16
    for name in ("trunk.bn1.running_var", "trunk.bn1.weight", "head.1.bias", "mean", "std"):
        assert weights[name].dtype == torch.float32
    assert weights["trunk.bn1.num_batches_tracked"].dtype == torch.int64


def test_rounding_again_changes_nothing(rounded_folder: Path, tmp_path: Path) -> None:
    assert round_checkpoint.main(["--checkpoint", str(rounded_folder), "--output", str(tmp_path)]) == 0
    assert (tmp_path / "weights.pt").read_bytes() == (rounded_folder / "weights.pt").read_bytes()


def test_weight_beyond_float16_is_refused(checkpoint: Checkpoint) -> None:
    weights = {**checkpoint.weights, "head.1.weight": checkpoint.weights["head.1.weight"] + 1e6}
    with pytest.raises(ExportError, match=r"head\.1\.weight"):
        round_checkpoint.round_checkpoint(replace(checkpoint, weights=weights))
