from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from export import quantize
from export.bias_correction import correct_bias
from export.calibration import Calibration, load_calibration, save_calibration
from export.errors import GraphError
from export.graph import pool_before_relu, with_batch
from export.half import half_precision
from export.inference import onnx_probabilities, open_session
from export.onnx_metadata import load_model
from export.quantize import HALF
from export.ranges import METHODS, RangeRule, measure_ranges
from export.variant import S8, U8, VARIANTS, Variant, float_layers, quantized_model

MEAN = 97.25
"""Of the checkpoint in conftest.py."""
TOLERANT = ["--min-agreement", "0.5", "--max-score-drop", "100"]
Q, DQ = "QuantizeLinear", "DequantizeLinear"


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: variant.file_name)
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    return found


def constants(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    return {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}


def nodes(model: onnx.ModelProto, operator: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == operator]


def test_activations_have_the_variants_type_and_zero_point(quantized_folder: Path, variant: Variant) -> None:
    model, metadata = load_model(quantized_folder / variant.file_name)
    zero_points = [constants(model)[node.input[2]] for node in nodes(model, Q)]
    assert zero_points
    assert {point.dtype for point in zero_points} == {np.dtype(variant.activations)}
    assert all(point.size == 1 for point in zero_points)
    if variant is S8:
        assert all(point == 0 for point in zero_points)
    else:
        # What leaves a convolution on its way to an addition reaches below zero, what follows a ReLU does not.
        assert {int(point) for point in zero_points} > {0}
    assert (metadata.precision, metadata.activations) == ("int8", variant.activations)


def test_weights_are_int8_with_one_scale_per_output_channel(quantized_folder: Path, variant: Variant) -> None:
    model, metadata = load_model(quantized_folder / variant.file_name)
    values, producers = constants(model), {name: node for node in model.graph.node for name in node.output}
    quantized = [node for node in nodes(model, "Conv") if node.name not in metadata.quantization["float_layers"]]
    assert len(quantized) == (19 if variant is U8 else 18)
    for convolution in quantized:
        dequantize = producers[convolution.input[1]]
        weight, scale, zero_point = (values[name] for name in dequantize.input)
        assert weight.dtype == np.int8
        assert scale.shape == zero_point.shape == (weight.shape[0],)
        assert not zero_point.any()
        assert next(each.i for each in dequantize.attribute if each.name == "axis") == 0
        # Each channel uses its whole range, which one scale for all could not.
        assert np.abs(weight.reshape(len(weight), -1)).max(axis=1).min() > 100


def test_what_rounding_shifts_on_average_is_taken_out(
    fp32_model: onnx.ModelProto, calibration_path: Path, variant: Variant
) -> None:
    images = load_calibration(calibration_path).images
    ranges = measure_ranges(fp32_model, images, RangeRule("minmax"))
    model = quantized_model(fp32_model, ranges, variant, list(float_layers(variant, fp32_model)))
    # A large shift, as if every rounding error of a layer pointed the same way.
    weight = next(each for each in model.graph.initializer if each.name.endswith("layer4.1.conv2.weight_quantized"))
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) // 2 * 2, weight.name))
    expected = onnx_probabilities(open_session(fp32_model), images)
    before = np.abs(onnx_probabilities(open_session(model), images) - expected)
    assert correct_bias(model, fp32_model, images) == "head.1"
    after = np.abs(onnx_probabilities(open_session(model), images) - expected)
    assert after.mean() < 0.7 * before.mean()


def test_tensorrt_variant_has_what_its_parser_takes(quantized_folder: Path) -> None:
    model, _ = load_model(quantized_folder / S8.file_name)
    values = constants(model)
    assert not [name for name, value in values.items() if value.dtype == np.int32]
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    for convolution in nodes(model, "Conv"):
        assert convolution.input[2] in values, "the bias must stay a float constant"
    additions = [Counter(producers[name] for name in node.input) for node in nodes(model, "Add")]
    assert all(sources in ({"Conv": 1, DQ: 1}, {"Conv": 2}, {"Conv": 1, "MaxPool": 1}) for sources in additions)


@pytest.mark.parametrize("operator", ["Cast", "Sub", "ReduceMean", "MaxPool", "Gemm", "Softmax"])
def test_normalisation_head_and_softmax_stay_in_float(operator: str, quantized_folder: Path, variant: Variant) -> None:
    model, _ = load_model(quantized_folder / variant.file_name)
    values, found = constants(model), nodes(model, operator)
    assert found
    for node in found:
        stored = [values[name].dtype for name in node.input if name in values]
        assert set(stored) <= {np.dtype(np.float32), np.dtype(np.int64)}
    if operator in ("Gemm", "Softmax"):
        producers = {name: each.op_type for each in model.graph.node for name in each.output}
        assert all(producers.get(name) != DQ for node in found for name in node.input)


def test_onnx_runtime_computes_the_trunk_after_the_stem_in_integers(quantized_folder: Path, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(quantized_folder / U8.file_name, options, providers=["CPUExecutionProvider"])
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert operators["QLinearConv"] == 19
    assert operators["QLinearAdd"] == 8
    assert (operators["Conv"], operators["MaxPool"]) == (1, 1)
    assert not {"FusedConv", "Add", "Relu"} & set(operators)


def test_pooling_before_the_relu_changes_nothing(fp32_model: onnx.ModelProto, calibration_path: Path) -> None:
    images = load_calibration(calibration_path).images[:4]
    expected = onnx_probabilities(open_session(fp32_model), images)
    pool_before_relu(fp32_model)
    assert [node.op_type for node in fp32_model.graph.node][2:5] == ["Conv", "MaxPool", "Relu"]
    np.testing.assert_allclose(onnx_probabilities(open_session(fp32_model), images), expected, atol=1e-6)


def test_probabilities_stay_near_those_of_the_float_graph(
    fp32_path: Path, quantized_folder: Path, variant: Variant, calibration_path: Path
) -> None:
    images = load_calibration(calibration_path).images
    expected = onnx_probabilities(open_session(fp32_path), images)
    found = onnx_probabilities(open_session(quantized_folder / variant.file_name), images)
    assert np.abs(found - expected).mean() < 0.03
    assert np.abs(found - expected).max() > 0


def test_quantising_again_gives_the_same_bytes(
    quantize_arguments: list[str], quantized_folder: Path, tmp_path: Path
) -> None:
    assert quantize.main([*quantize_arguments, *TOLERANT, "--output", str(tmp_path)]) == 0
    names = sorted(path.name for path in quantized_folder.iterdir())
    assert names == ["fp16.onnx", "int8-s8.onnx", "int8-u8.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (quantized_folder / name).read_bytes()


def test_fp16_computes_its_trunk_in_float16_and_the_rest_in_float32(quantized_folder: Path) -> None:
    model, metadata = load_model(quantized_folder / HALF)
    types = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.output)}
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    assert {types[node.output[0]] for node in nodes(model, "Conv")} == {half}
    assert {types[node.output[0]] for operator in ("Sub", "Gemm", "Softmax") for node in nodes(model, operator)} == {
        single
    }
    assert [node.name for node in nodes(model, "Cast")] == ["cast_1", "cast_trunk_input", "cast_trunk_output"]
    assert metadata.precision == "fp16"
    assert set(metadata.quantization["float_layers"]) == {"input", "head"}


def test_weights_beyond_float16_are_refused(fp32_model: onnx.ModelProto) -> None:
    weight = next(each for each in fp32_model.graph.initializer if each.name.endswith("layer1.0.conv1.weight"))
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1e6), weight.name))
    with pytest.raises(GraphError, match=r"layer1\.0\.conv1\.weight: holds weights beyond 65504"):
        half_precision(fp32_model)


def test_graph_that_decides_otherwise_is_refused_with_the_table_and_not_written(
    quantize_arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def damaged(model: onnx.ModelProto) -> onnx.ModelProto:
        half = half_precision(model)
        bias = next(each for each in half.graph.initializer if each.name.endswith("head.6.bias"))
        values = onnx.numpy_helper.to_array(bias) + np.array([0, 0, 0, 100], np.float32)
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        return half

    monkeypatch.setattr(quantize, "half_precision", damaged)
    assert quantize.main([*quantize_arguments, *TOLERANT, "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "icbhi (subset): 16 cycles of 2 validation patients" in printed
    assert "fp16.onnx: agrees in" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8-s8.onnx", "int8-u8.onnx"]


def test_threshold_of_the_score_decides_the_exit_code(quantize_arguments: list[str], tmp_path: Path) -> None:
    impossible = ["--max-score-drop", "-101", "--min-agreement", "0"]
    assert quantize.main([*quantize_arguments, *impossible, "--output", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []


def test_metadata_says_how_and_from_what(quantized_folder: Path, fp32_path: Path, variant: Variant) -> None:
    _, metadata = load_model(quantized_folder / variant.file_name)
    facts = metadata.quantization
    assert facts["method"] == RangeRule().method
    assert (facts["calibration"]["images"], facts["calibration"]["recordings"]) == (72, 12)
    assert {"head.1", "head.4", "head.6"} <= set(facts["float_layers"])
    assert all(facts["float_layers"].values()), "each layer needs a reason"
    assert facts["bias_corrected"] == "head.1"
    assert metadata.checkpoint_sha256 == load_model(fp32_path)[1].checkpoint_sha256


def test_further_layers_can_be_left_in_float(quantize_arguments: list[str], tmp_path: Path) -> None:
    further = ["--float-layers", "layer1.0.conv1", "--output", str(tmp_path)]
    assert quantize.main([*quantize_arguments, *TOLERANT, *further]) == 0
    model, metadata = load_model(tmp_path / U8.file_name)
    convolution = next(node for node in model.graph.node if node.name == "layer1.0.conv1")
    assert constants(model)[convolution.input[1]].dtype == np.float32
    assert "layer1.0.conv1" in metadata.quantization["float_layers"]


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert quantize.main(arguments) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    return message


def test_unknown_layer_is_refused_with_the_known_ones(
    quantize_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*quantize_arguments, "--output", str(tmp_path)]
    assert "layer4.1.conv2" in refusal([*arguments, "--float-layers", "layer9"], capsys)
    assert list(tmp_path.iterdir()) == []


def test_without_calibration_data_nothing_is_quantised(
    fp32_path: Path, icbhi_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(fp32_path), "--data", str(icbhi_folder), "--output", str(tmp_path / "int8")]
    assert "export.calibrate" in refusal([*arguments, "--calibration", str(tmp_path / "absent.npz")], capsys)
    with pytest.raises(SystemExit) as caught:
        quantize.main(arguments)
    assert caught.value.code == 2
    assert not (tmp_path / "int8").exists()


@pytest.mark.parametrize(
    ("images", "fingerprint", "message"), [(16, None, "16 images"), (64, "0123456789abcdef", "0123456789abcdef")]
)
def test_calibration_that_is_too_small_or_of_other_features_is_refused(
    images: int,
    fingerprint: str | None,
    message: str,
    fp32_path: Path,
    calibration_path: Path,
    icbhi_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = load_model(fp32_path)[1].spec
    path = tmp_path / "calibration.npz"
    repeated = load_calibration(calibration_path).images[:images]
    names = tuple(f"icbhi/{number}" for number in range(images))
    save_calibration(path, Calibration(repeated, fingerprint or spec.fingerprint(), names, {}))
    arguments = ["--model", str(fp32_path), "--calibration", str(path), "--data", str(icbhi_folder)]
    arguments += ["--output", str(tmp_path / "int8")]
    assert message in refusal(arguments, capsys)


def test_graph_for_a_batch_is_not_quantised(
    fp32_model: onnx.ModelProto,
    calibration_path: Path,
    icbhi_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    onnx.save(with_batch(fp32_model, 8), tmp_path / "batch.onnx")
    arguments = ["--model", str(tmp_path / "batch.onnx"), "--calibration", str(calibration_path)]
    assert "takes 8 images at a time" in refusal(
        [*arguments, "--data", str(icbhi_folder), "--output", str(tmp_path / "int8")], capsys
    )


def test_quantised_graph_is_not_quantised_again(
    quantized_folder: Path,
    calibration_path: Path,
    icbhi_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--calibration", str(calibration_path), "--data", str(icbhi_folder), "--output", str(tmp_path)]
    assert "already int8" in refusal(["--model", str(quantized_folder / U8.file_name), *arguments], capsys)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_ranges_that_hold_the_bulk_of_the_values(
    method: str, fp32_model: onnx.ModelProto, calibration_path: Path
) -> None:
    images = load_calibration(calibration_path).images[:40]
    ranges = measure_ranges(fp32_model, images, RangeRule(method, 99.9))  # type: ignore[arg-type]
    (centred,) = (node.output[0] for node in fp32_model.graph.node if node.op_type == "Sub")
    low, high = (float(np.squeeze(end)) for end in ranges[centred].range_value)
    lowest, highest = images.min() - MEAN, images.max() - MEAN
    assert lowest - 3 <= low < 0 < high <= highest + 3
    if method == "minmax":
        assert (low, high) == pytest.approx((lowest, highest), abs=1e-3)


def test_impossible_percentile_is_refused(
    quantize_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*quantize_arguments, "--output", str(tmp_path)]
    assert "percentile" in refusal([*arguments, "--percentile", "0.9"], capsys)
