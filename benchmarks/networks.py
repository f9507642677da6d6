"""The networks that are timed: the released one, and the paper's for each kind of image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from benchmarks.simulated_sound import breathing
from edge.bundle import Bundle, ModelFile
from edge.engine.engine import Engine, open_engine
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT, RESPIRENET, FeatureSpec
from export.export_onnx import model_from_network
from export.graph import with_batch
from export.onnx_metadata import load_model
from export.ranges import RangeRule, measure_ranges
from export.variant import U8, float_layers, quantized_model
from train.checkpoint import WEIGHTS_FILE, load_checkpoint, network_from_checkpoint
from train.initialisation import network_from_scratch
from train.network import NetworkConfig, RespireNetwork

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
CALIBRATION_WINDOWS = 4
SEED = 0
FP32 = "fp32.onnx"


@dataclass(frozen=True)
class TimedNetwork:
    """A network as ONNX files that ONNX Runtime can be timed with."""

    title: str
    bundle: Bundle
    """What a device would run; of the paper's networks, the INT8 file alone."""
    maybe_fp32: ModelFile | None
    """The same network in float32. None: neither the bundle nor the repository has it."""

    def engine(self, file: ModelFile) -> Engine:
        """One file, opened as `respire-edge` opens it. Raises EngineError."""
        return open_engine(replace(self.bundle, files={file.path.name: file}), "onnx")


@dataclass(frozen=True)
class PaperNetwork:
    """The paper's network with random weights, for one kind of image."""

    network: RespireNetwork
    timed: TimedNetwork


def released_network(bundle: Bundle, folder: Path) -> TimedNetwork:
    """The network of `bundle`. Raises ExportError or TrainError where its files are damaged.

    Where the bundle has no FP32 file, one is exported to `folder` from the checkpoint that the bundle was made of.
    """
    own = [file for file in bundle.files.values() if file.precision == "fp32"]
    if own:
        return TimedNetwork(bundle.model_id, bundle, own[0])
    made_of = load_model(next(iter(bundle.files.values())).path)[1].checkpoint_sha256
    maybe_folder = maybe_checkpoint_folder(made_of, CHECKPOINTS)
    if maybe_folder is None:
        return TimedNetwork(bundle.model_id, bundle, None)
    checkpoint = load_checkpoint(maybe_folder)
    graph = with_batch(model_from_network(network_from_checkpoint(checkpoint), checkpoint.spec), 1)
    fp32 = ModelFile(folder / FP32, "fp32", None)
    _write(graph, fp32, checkpoint.spec)
    return TimedNetwork(f"{title_of(checkpoint.network)} ({bundle.model_id})", bundle, fp32)


def maybe_checkpoint_folder(weights_sha256: str, root: Path) -> Path | None:
    """The checkpoint in `root` whose weights have this hash."""
    files = (file for file in sorted(root.glob(f"*/{WEIGHTS_FILE}")) if _sha256(file) == weights_sha256)
    return next((file.parent for file in files), None)


def paper_networks(config: NetworkConfig, like: Bundle, folder: Path) -> dict[str, PaperNetwork]:
    """One for each spec, by its name; `like` lends what a bundle has beside files and features."""
    return {spec.name: paper_network(config, spec, like, folder / spec.name) for spec in (COMPACT, RESPIRENET)}


def paper_network(config: NetworkConfig, spec: FeatureSpec, like: Bundle, folder: Path) -> PaperNetwork:
    """`config` for the images of `spec`, in PyTorch and as FP32 and INT8 files in `folder`, which is made."""
    folder.mkdir()
    fp32 = ModelFile(folder / FP32, "fp32", None)
    int8 = ModelFile(folder / U8.file_name, "int8", U8.activations)
    images = simulated_images(spec, CALIBRATION_WINDOWS)
    network = network_with_random_weights(config, images)
    graph = with_batch(model_from_network(network, spec), 1)
    _write(graph, fp32, spec)
    ranges = measure_ranges(graph, images, RangeRule("minmax"))
    _write(quantized_model(graph, ranges, U8, list(float_layers(U8, graph))), int8, spec)
    bundle = replace(like, folder=folder, spec=spec, files={U8.file_name: int8})
    return PaperNetwork(network, TimedNetwork(title_of(config), bundle, fp32))


def network_with_random_weights(config: NetworkConfig, images: NDArray[np.uint8]) -> RespireNetwork:
    """`config` with as many input channels as `images` [n, C, H, W] have, which it normalises, in evaluation mode."""
    network = network_from_scratch(replace(config, in_channels=images.shape[1]), SEED)
    levels = torch.from_numpy(images).double()
    network.set_normalisation(levels.mean(dim=(0, 2, 3)), levels.std(dim=(0, 2, 3)))
    return network.eval()


def title_of(config: NetworkConfig) -> str:
    """What a network is called in a table."""
    if config.backbone == "mn04":
        return "MobileNetV3, width 0.4"
    return f"ResNet-{config.depth}" + (f", width {config.width:g}" if config.width != 1 else "")


def simulated_images(spec: FeatureSpec, windows: int) -> NDArray[np.uint8]:
    """uint8 [windows, *image_shape] of simulated breathing."""
    sound = breathing(windows * spec.window_s, spec.sample_rate_hz).reshape(windows, spec.window_samples)
    return np.stack([image_from_window(window, spec) for window in sound])


def _write(graph: onnx.ModelProto, file: ModelFile, spec: FeatureSpec) -> None:
    onnx.helper.set_model_props(graph, {"feature_fingerprint": spec.fingerprint()})
    onnx.save(graph, file.path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
