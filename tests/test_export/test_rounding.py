from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.errors import GraphError
from export.onnx_metadata import load_model
from export.quantize import U8
from export.rounding import STEPS, keep_filter_sums, rounded_keeping_sums


@given(seed=st.integers(0, 1000), offset=st.floats(-1, 1), channels=st.integers(1, 3))
def test_each_filter_keeps_its_sum_to_half_a_step_and_each_weight_to_one(
    seed: int, offset: float, channels: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = (rng.standard_normal((4, channels, 7, 7)) + offset).astype(np.float32)
    steps = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / STEPS
    rounded = rounded_keeping_sums(weights)
    whole = rounded / steps
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-4)
    assert np.abs(rounded - weights).max() <= 1.001 * steps.max()
    drift = np.abs((rounded - weights).sum(axis=(2, 3)) / steps[:, :, 0, 0])
    assert drift.max() <= 0.51
    # The largest weight stays, or the quantiser would choose another step and round everything again.
    np.testing.assert_allclose(np.abs(whole).max(axis=(1, 2, 3)), STEPS, atol=1e-4)


def test_rounding_to_the_nearest_step_would_not_keep_the_sums() -> None:
    weights = np.full((1, 1, 7, 7), 0.4, np.float32)
    weights[0, 0, 0, 0] = STEPS
    nearest = np.rint(weights)
    assert abs(nearest.sum() - weights.sum()) > 15
    assert abs(rounded_keeping_sums(weights).sum() - weights.sum()) <= 0.5


def test_empty_channel_stays_empty() -> None:
    assert not rounded_keeping_sums(np.zeros((2, 1, 7, 7), np.float32)).any()


def test_quantised_file_holds_the_kept_sums(quantized_folder: Path, fp32_model: onnx.ModelProto) -> None:
    model, metadata = load_model(quantized_folder / U8.file_name)
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    exact = next(each for each in fp32_model.graph.initializer if each.name == "network.trunk.conv1.weight")
    node = next(node for node in model.graph.node if node.name == "conv1")
    dequantize = next(each for each in model.graph.node if node.input[1] in each.output)
    quantized, scale = stored[dequantize.input[0]].astype(np.float64), stored[dequantize.input[1]]
    drift = quantized.sum(axis=(1, 2, 3)) - onnx.numpy_helper.to_array(exact).sum(axis=(1, 2, 3)) / scale
    assert np.abs(drift).max() <= 0.51
    assert metadata.quantization["filter_sums_kept"] == ["conv1"]


def test_graph_without_a_first_convolution_is_refused(fp32_model: onnx.ModelProto) -> None:
    for node in fp32_model.graph.node:
        node.name = node.name.replace("conv1", "stem")
    with pytest.raises(GraphError, match="conv1"):
        keep_filter_sums(fp32_model)
