"""A tiny random network, an ICBHI folder of made-up sound, and what `export` makes of the two, each made once."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="export needs PyTorch, which a device does not have")
pytest.importorskip("onnxscript", reason="export needs onnxscript, which a device does not have")

import onnx
import soundfile
import torch
from numpy.typing import NDArray

from edge.signal.image import image_from_window
from edge.signal.padding import repeat_to_length
from edge.signal.spec import COMPACT
from export import calibrate, compare, export_onnx, quantize
from export.variant import VARIANTS
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.network import NetworkConfig, RespireNetwork

CYCLE_S = 1.5
DEVICES = ("Litt3200", "Meditron")
PATIENTS = {
    "training": [str(number) for number in range(101, 113)],
    "validation": ["113", "114"],
    "test": ["115", "116"],
}
EXTENT = {side: len(names) for side, names in PATIENTS.items()}
NETWORK = NetworkConfig(depth=18, width=0.125, in_channels=1)
MEAN, STD = 97.25, 61.5
TOLERANT = ["--min-agreement", "0.5", "--max-score-drop", "100"]
"""Decisions of random weights are close calls, which INT8 may turn; what is released is held to the defaults."""


@pytest.fixture(scope="session")
def icbhi_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 patients of two stethoscopes, eight cycles each, two of every class."""
    folder = tmp_path_factory.mktemp("icbhi")
    for number, patient in enumerate(sorted(patient for side in PATIENTS.values() for patient in side)):
        rng = np.random.default_rng(number)
        labels = [0, 1, 2, 3, 0, 1, 2, 3]
        path = folder / f"{patient}_1b1_Al_sc_{DEVICES[number % 2]}.wav"
        soundfile.write(path, np.concatenate([breath(label, rng) for label in labels]), 4000)
        lines = [f"{i * CYCLE_S}\t{(i + 1) * CYCLE_S}\t{label % 2}\t{label // 2}" for i, label in enumerate(labels)]
        path.with_suffix(".txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights whose batch statistics are those of images, so that activations are of ordinary size."""
    folder = tmp_path_factory.mktemp("checkpoint")
    network = random_network(seed=0)
    training_run = {
        "recipe": "tiny",
        "seed": 0,
        "epoch": 0,
        "code": {"commit": "0" * 40, "dirty": False},
        "patients": {"icbhi": PATIENTS},
        "data": {"icbhi": {"extent": "subset", "recordings": EXTENT, "cycles": EXTENT}},
    }
    save_checkpoint(
        folder, Checkpoint(NETWORK, COMPACT, (MEAN,), (STD,), network.state_dict(), training_run, metrics={})
    )
    return folder


@pytest.fixture(scope="session")
def checkpoint(checkpoint_folder: Path) -> Checkpoint:
    return load_checkpoint(checkpoint_folder)


@pytest.fixture(scope="session")
def calibration_path(checkpoint_folder: Path, icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "calibration.npz"
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--output", str(path)]
    assert calibrate.main([*arguments, "--images", "72"]) == 0
    return path


@pytest.fixture(scope="session")
def fp32_path(checkpoint_folder: Path, calibration_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "fp32.onnx"
    export_onnx.export_checkpoint(checkpoint_folder, calibration_path, path)
    return path


@pytest.fixture(scope="session")
def quantize_arguments(fp32_path: Path, calibration_path: Path, icbhi_folder: Path) -> list[str]:
    """All of `export.quantize` but `--output` and the thresholds."""
    return ["--model", str(fp32_path), "--calibration", str(calibration_path), "--data", str(icbhi_folder)]


@pytest.fixture(scope="session")
def quantized_folder(quantize_arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantized")
    assert quantize.main([*quantize_arguments, *TOLERANT, "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def graphs(quantized_folder: Path) -> list[Path]:
    """What goes into a bundle."""
    return [quantized_folder / name for name in (quantize.HALF, *(variant.file_name for variant in VARIANTS))]


@pytest.fixture(scope="session")
def comparison_path(
    checkpoint_folder: Path,
    icbhi_folder: Path,
    fp32_path: Path,
    graphs: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "comparison.json"
    arguments = ["--checkpoint", str(checkpoint_folder), "--data", str(icbhi_folder), "--report", str(path)]
    assert compare.main([*arguments, *TOLERANT, "--repeats", "3", "--onnx", str(fp32_path), *map(str, graphs)]) == 0
    return path


@pytest.fixture
def fp32_model(fp32_path: Path) -> onnx.ModelProto:
    """A copy that a test may change."""
    return onnx.load(fp32_path)


def random_network(seed: int) -> RespireNetwork:
    """Random weights, but for a last layer that spreads its answers over the four classes."""
    torch.manual_seed(seed)
    network = RespireNetwork(NETWORK)
    network.set_normalisation(torch.tensor([MEAN]), torch.tensor([STD]))
    rng, length = np.random.default_rng(seed), COMPACT.window_samples
    windows = [repeat_to_length(breath(label, rng), length) for label in (0, 1, 2, 3) * 4]
    images = torch.from_numpy(np.stack([image_from_window(window, COMPACT) for window in windows]))
    last = network.head[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        for _ in range(10):
            network.train()(images)
        logits = network.eval()(images)
        scale = 2 / logits.std(dim=0)
        last.weight.copy_(last.weight * scale[:, None])
        last.bias.copy_((last.bias - logits.mean(dim=0)) * scale)
    return network


def breath(label: int, rng: np.random.Generator) -> NDArray[np.float32]:
    n = round(CYCLE_S * 4000)
    time_s = np.arange(n) / 4000
    sound = 0.05 * rng.standard_normal(n) * np.sin(np.pi * time_s / CYCLE_S)
    if label % 2:
        sound[rng.integers(0, n, 12)] += 0.8
    if label // 2:
        sound += 0.3 * np.sin(2 * np.pi * 400 * time_s)
    return np.asarray(sound, dtype=np.float32)
