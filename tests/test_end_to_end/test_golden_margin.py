"""The golden inputs of a released bundle let other arithmetic pass and refuse faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="a device has no PyTorch")
pytest.importorskip("onnx", reason="a device has no onnx")

import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from edge.bundle import load_bundle
from edge.engine.golden import GoldenCases, load_golden
from export.classifier import ClassifierGraph
from export.inference import onnx_probabilities, open_session
from train.checkpoint import load_checkpoint, network_from_checkpoint

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ("common",)
Released = tuple[onnx.ModelProto, GoldenCases]
FILES = ("fp16.onnx",)


@pytest.fixture(scope="module", params=[(bundle, name) for bundle in BUNDLES for name in FILES], ids="/".join)
def graph(request: pytest.FixtureRequest) -> Released:
    return released(*request.param)


@pytest.fixture(scope="module", params=FILES)
def common_graph(request: pytest.FixtureRequest) -> Released:
    return released("common", request.param)


def released(bundle: str, name: str) -> Released:
    folder = ROOT / "models" / bundle
    return onnx.load(folder / name), load_golden(load_bundle(folder), name)


def difference(model: onnx.ModelProto, cases: GoldenCases, *, optimised: bool = True) -> float:
    session = open_session(model, threads=1, optimised=optimised)
    return float(np.abs(onnx_probabilities(session, cases.images) - cases.expected).max())


def changed(
    model: onnx.ModelProto, of: Callable[[str], bool], change: Callable[[NDArray[Any]], NDArray[Any]]
) -> onnx.ModelProto:
    """A copy with a change to every constant whose name `of` accepts."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    chosen = [each for each in copy.graph.initializer if of(each.name)]
    assert chosen
    for each in chosen:
        each.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(each)), each.name))
    return copy


def tf32(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != np.float32 or values.ndim < 2:
        return values
    bits = np.ascontiguousarray(values).view(np.uint32) + np.uint32(0x1000)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32)


def test_the_same_network_in_other_arithmetic_agrees(graph: Released) -> None:
    model, cases = graph
    assert difference(model, cases) < 0.1 * cases.tolerance
    assert difference(model, cases, optimised=False) < 0.5 * cases.tolerance
    assert difference(changed(model, lambda name: True, tf32), cases) < 0.5 * cases.tolerance


@pytest.mark.parametrize("layer", ["maps.4.block.0.0", "maps.14.block.0.0"])
def test_a_layer_with_its_scale_a_fifth_off_is_refused(graph: Released, layer: str) -> None:
    model, cases = graph
    names = {f"{layer}.weight_scale", f"{layer}.weight"}
    faulty = changed(
        model,
        lambda name: name.removeprefix("network.trunk.") in names,
        lambda values: (values * 1.2).astype(values.dtype),
    )
    assert difference(faulty, cases) > cases.tolerance


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda images: images[:, :, ::-1], id="upside down"),
        pytest.param(lambda images: np.roll(images, 1, axis=3), id="late by a column"),
        pytest.param(lambda images: (images * 0.95).astype(np.uint8), id="grey levels 5 % off"),
        pytest.param(lambda images: np.roll(images, 1, axis=0), id="another image"),
    ],
)
def test_images_that_arrive_wrong_are_noticed(
    common_graph: Released, fault: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    model, cases = common_graph
    found = onnx_probabilities(open_session(model, threads=1), np.ascontiguousarray(fault(cases.images)))
    assert np.abs(found - cases.expected).max() > 2 * cases.tolerance


@pytest.mark.parametrize("name", BUNDLES)
def test_real_float16_stays_near_what_onnx_runtime_computes_for_fp16(name: str) -> None:
    """On a processor ONNX Runtime computes a float16 graph in float32, so PyTorch shows what float16 itself costs."""
    cases = load_golden(load_bundle(ROOT / "models" / name), "fp16.onnx")
    graph = ClassifierGraph(network_from_checkpoint(load_checkpoint(ROOT / "checkpoints" / name)))
    grey = torch.from_numpy(cases.images).float()
    with torch.inference_mode():
        features = graph.network.trunk.half()((grey - graph.network.mean).half()).float()
        found = graph.network.probabilities_from(graph.network.head(features)).numpy()
    assert np.abs(found - cases.expected).max() < 0.5 * cases.tolerance
