"""The same chain, for a MobileNetV3 that answers with signs."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from edge.bundle import load_bundle
from edge.engine.engine import open_engine
from edge.signal.spec import AUDIOSET
from export import calibrate, compare, export_onnx, pack, quantize
from export.calibration import load_calibration
from export.graph import excitation_layers, layer_names, stem_nodes, trunk_nodes
from export.inference import onnx_probabilities, open_session, torch_probabilities
from export.onnx_metadata import load_model
from export.variant import VARIANTS, Variant
from train.checkpoint import Checkpoint, load_checkpoint, network_from_checkpoint, save_checkpoint
from train.initialisation import network_from_scratch
from train.network import NetworkConfig, RespireNetwork

NETWORK = NetworkConfig(backbone="mn04", answers="signs", in_channels=1, dropout=0.3)
MEAN, STD = 110.0, 50.0
TOLERANT = ["--min-agreement", "0.3", "--max-score-drop", "100"]


@dataclass(frozen=True)
class Chain:
    """What the commands made."""

    checkpoint: Path
    data: Path
    images: NDArray[np.uint8]
    folder: Path
    """Of the graphs."""

    def probabilities(self, name: str) -> NDArray[np.float32]:
        return onnx_probabilities(open_session(self.folder / name), self.images)


@pytest.fixture(scope="module")
def chain(checkpoint: Checkpoint, icbhi_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Random weights, whose batch statistics are those of the images that they are calibrated on."""
    folder = tmp_path_factory.mktemp("mobilenet")
    source, calibration, fp32 = folder / "checkpoint", folder / "calibration.npz", folder / "fp32.onnx"
    network = network_from_scratch(NETWORK, seed=0)
    network.set_normalisation(torch.tensor([MEAN]), torch.tensor([STD]))

    def save() -> None:
        stored = Checkpoint(NETWORK, AUDIOSET, (MEAN,), (STD,), network.state_dict(), checkpoint.training_run, {})
        save_checkpoint(source, stored)

    save()
    data = ["--data", str(icbhi_folder)]
    assert calibrate.main(["--checkpoint", str(source), *data, "--output", str(calibration), "--images", "64"]) == 0
    images = load_calibration(calibration).images
    _settle(network, torch.from_numpy(images[::8]))
    save()
    export_onnx.export_checkpoint(source, calibration, fp32)
    arguments = ["--model", str(fp32), "--calibration", str(calibration), *data, *TOLERANT]
    assert quantize.main([*arguments, "--method", "minmax", "--output", str(folder)]) == 0
    return Chain(source, icbhi_folder, images[:8], folder)


def _settle(network: RespireNetwork, images: torch.Tensor) -> None:
    """Batch statistics of `images`, and a last layer that spreads its answers over them."""
    last = network.head[-1]
    assert isinstance(last, torch.nn.Linear)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.5
    with torch.no_grad():
        for _ in range(6):
            network.train()(images)
        logits = network.eval()(images)
        scale = 0.5 / logits.std(dim=0)
        last.weight.copy_(last.weight * scale[:, None])
        last.bias.copy_((last.bias - logits.mean(dim=0)) * scale)


@pytest.fixture(params=VARIANTS, ids=lambda variant: variant.file_name)
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    return found


def test_graph_computes_the_four_classes_that_the_signs_stand_for(chain: Chain) -> None:
    expected = torch_probabilities(network_from_checkpoint(load_checkpoint(chain.checkpoint)), chain.images)
    found = chain.probabilities("fp32.onnx")
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.05, "other images must have other probabilities"


def test_layers_have_their_names_and_hard_swish_is_one_operator(chain: Chain) -> None:
    model, _ = load_model(chain.folder / "fp32.onnx")
    names, operators = layer_names(model), Counter(node.op_type for node in model.graph.node)
    assert (names[0], names[-2:]) == ("maps.0.0", ["head.0", "head.3"])
    assert {"maps.1.block.0.0", "maps.4.block.2.fc1", "maps.16.0"} <= set(names)
    assert len(set(names)) == len(names) == 64
    assert operators["HardSwish"] == 21
    assert "BatchNormalization" not in operators
    assert [node.op_type for node in stem_nodes(model)] == ["Conv", "HardSwish"]
    trunk = trunk_nodes(model)
    assert (trunk[0].name, trunk[-1].op_type, len(excitation_layers(model))) == ("maps.0.0", "HardSwish", 16)


def test_fp16_computes_the_trunk_in_float16_and_decides_alike(chain: Chain) -> None:
    model, metadata = load_model(chain.folder / "fp16.onnx")
    types = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.output)}
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    found = {kind: {types[each.output[0]] for each in model.graph.node if each.op_type == kind} for kind in OPERATORS}
    assert found == {"Conv": {half}, "HardSwish": {half, single}, "Gemm": {single}, "Concat": {single}}
    assert metadata.precision == "fp16"
    assert np.abs(chain.probabilities("fp16.onnx") - chain.probabilities("fp32.onnx")).max() < 0.03


OPERATORS = ("Conv", "HardSwish", "Gemm", "Concat")


def test_int8_leaves_stem_excitation_and_head_in_float(chain: Chain, variant: Variant) -> None:
    model, metadata = load_model(chain.folder / variant.file_name)
    kept = metadata.quantization["float_layers"]
    assert set(kept) == {"maps.0.0", *excitation_layers(model), "head.0", "head.3"}
    stored = {each.name: each.data_type for each in model.graph.initializer}
    in_float = {
        node.name for node in model.graph.node if node.op_type == "Conv" and stored.get(node.input[1]) is not None
    }
    assert in_float == set(kept) - {"head.0", "head.3"}
    assert np.abs(chain.probabilities(variant.file_name) - chain.probabilities("fp32.onnx")).mean() < 0.05


def test_bundle_of_float_files_is_packed_and_the_device_runs_float32(chain: Chain, tmp_path: Path) -> None:
    graphs = ["--onnx", *(str(chain.folder / name) for name in ("fp32.onnx", "fp16.onnx"))]
    checkpoint, report = ["--checkpoint", str(chain.checkpoint)], tmp_path / "comparison.json"
    measured = ["--data", str(chain.data), "--report", str(report), "--repeats", "1"]
    assert compare.main([*checkpoint, *graphs, *TOLERANT, *measured]) == 0
    bundle = tmp_path / "common"
    assert pack.main([*checkpoint, *graphs, "--comparison", str(report), "--output", str(bundle)]) == 0
    with open_engine(load_bundle(bundle), "onnx") as engine:
        assert engine.name == "onnxruntime-cpu-fp32"
        np.testing.assert_allclose(engine.infer(chain.images), chain.probabilities("fp32.onnx"), atol=1e-5)
    card = " ".join((bundle / "MODEL_CARD.md").read_text(encoding="utf-8").split())
    assert "A MobileNetV3 with 0.4 times" in card
    assert "`fp32.onnx` is for ONNX Runtime on processors, `fp16.onnx` for TensorRT." in card
    assert "int8-" not in card


def test_only_the_files_that_are_asked_for_are_made(chain: Chain, tmp_path: Path) -> None:
    arguments = ["--model", str(chain.folder / "fp32.onnx"), "--calibration", str(chain.folder / "calibration.npz")]
    arguments += ["--data", str(chain.data), *TOLERANT, "--only", "fp16.onnx"]
    assert quantize.main([*arguments, "--output", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["fp16.onnx"]
    assert (tmp_path / "fp16.onnx").read_bytes() == (chain.folder / "fp16.onnx").read_bytes()
