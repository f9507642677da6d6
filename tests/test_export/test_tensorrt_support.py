"""export/tensorrt_support.py: nothing against the graphs meant for TensorRT, and something against each known fault."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.bundle import load_bundle
from edge.engine.plan_source import KINDS
from export.errors import GraphError
from export.quantize import HALF
from export.tensorrt_operators import RELEASES, TYPES, Release
from export.tensorrt_support import check_tensorrt_support, objections
from export.variant import S8, U8

MODELS = Path(__file__).resolve().parent.parent.parent / "models"
Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(params=RELEASES, ids=lambda release: release.name)
def release(request: pytest.FixtureRequest) -> Release:
    found: Release = request.param
    return found


@pytest.fixture
def int8_model(quantized_folder: Path) -> onnx.ModelProto:
    return onnx.load(quantized_folder / S8.file_name)


@pytest.fixture
def half_model(quantized_folder: Path) -> onnx.ModelProto:
    return onnx.load(quantized_folder / HALF)


def meant_for_tensorrt(folder: Path) -> list[Path]:
    files = load_bundle(folder).files.values()
    return [file.path for file in files if (file.precision, file.activations) in KINDS.values()]


@pytest.mark.parametrize(
    "bundle", sorted(path.parent for path in MODELS.glob("*/manifest.json")), ids=lambda it: it.name
)
def test_nothing_stands_against_what_is_released_for_tensorrt(bundle: Path, release: Release) -> None:
    paths = meant_for_tensorrt(bundle)
    assert paths
    assert {path.name: objections(onnx.load(path), release) for path in paths} == {path.name: [] for path in paths}


@pytest.mark.parametrize("name", [S8.file_name, HALF])
def test_nothing_stands_against_what_quantize_writes_for_tensorrt(
    quantized_folder: Path, name: str, release: Release
) -> None:
    model = onnx.load(quantized_folder / name)
    assert objections(model, release) == []
    check_tensorrt_support(model, name)


def test_uint8_activations_are_refused(quantized_folder: Path, release: Release) -> None:
    found = objections(onnx.load(quantized_folder / U8.file_name), release)
    assert any("(QuantizeLinear): its zero-point" in text and "is uint8 instead of int8" in text for text in found)
    assert any("in uint8, which only inputs and outputs of the network may have" in text for text in found)


def test_the_first_objection_and_their_number_make_one_line(quantized_folder: Path) -> None:
    model = onnx.load(quantized_folder / U8.file_name)
    with pytest.raises(GraphError, match=r"^int8-u8: TensorRT 10\.3 would refuse it: .*\(and \d+ more\); exp"):
        check_tensorrt_support(model, "int8-u8")


def test_the_table_holds_operators_of_onnx_alone() -> None:
    assert [operator for operator in TYPES if not onnx.defs.has(operator)] == []


def test_an_opset_is_refused_by_the_release_that_does_not_read_it(int8_model: onnx.ModelProto) -> None:
    int8_model.opset_import[0].version = 22
    refused = [release.name for release in RELEASES if any("opset 22" in it for it in objections(int8_model, release))]
    assert refused == ["10.3"]


def first(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    nodes: list[onnx.NodeProto] = list(model.graph.node)
    return next(node for node in nodes if node.op_type == operator)


def constant(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    stored: list[onnx.TensorProto] = list(model.graph.initializer)
    return next(each for each in stored if each.name == name)


def set_constant(model: onnx.ModelProto, name: str, values: object, dtype: str) -> None:
    constant(model, name).CopyFrom(numpy_helper.from_array(np.asarray(values, dtype), name))


def weight_dequantizer(model: onnx.ModelProto) -> onnx.NodeProto:
    """The first DequantizeLinear whose input is stored."""
    stored = {each.name for each in model.graph.initializer}
    nodes: list[onnx.NodeProto] = list(model.graph.node)
    return next(node for node in nodes if node.op_type == "DequantizeLinear" and node.input[0] in stored)


def add_before_output(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    """Put nodes between the last node, which then gives `before`, and the graph's output."""
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(nodes)


def an_operator_of_another_library(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    add_before_output(model, helper.make_node("Gelu", ["before"], ["probabilities"], "odd", domain="com.microsoft"))


def an_operator_that_is_not_in_the_table(model: onnx.ModelProto) -> None:
    add_before_output(model, helper.make_node("Det", ["before"], ["probabilities"], "odd"))


def a_zero_point_other_than_0(model: onnx.ModelProto) -> None:
    set_constant(model, first(model, "QuantizeLinear").input[2], 3, "int8")


def a_uint8_zero_point(model: onnx.ModelProto) -> None:
    set_constant(model, first(model, "QuantizeLinear").input[2], 0, "uint8")


def no_zero_point(model: onnx.ModelProto) -> None:
    del first(model, "QuantizeLinear").input[2:]


def a_scale_of_0(model: onnx.ModelProto) -> None:
    set_constant(model, first(model, "QuantizeLinear").input[1], 0.0, "float32")


def a_scale_that_is_no_number(model: onnx.ModelProto) -> None:
    set_constant(model, first(model, "QuantizeLinear").input[1], np.nan, "float32")


def a_scale_that_the_network_computes(model: onnx.ModelProto) -> None:
    node = first(model, "QuantizeLinear")
    computed = helper.make_node("Abs", [node.input[1]], ["computed"], "absolute")
    node.input[1] = "computed"
    model.graph.node.insert(0, computed)


def several_scales_for_activations(model: onnx.ModelProto) -> None:
    node = first(model, "QuantizeLinear")
    channels = first(model, "Conv")
    count = constant(model, channels.input[1]).dims[0]
    set_constant(model, node.input[1], np.ones(count), "float32")
    set_constant(model, node.input[2], np.zeros(count), "int8")


def weight_scales_along_the_input_channels(model: onnx.ModelProto) -> None:
    next(each for each in weight_dequantizer(model).attribute if each.name == "axis").i = 1


def int32_weights(model: onnx.ModelProto) -> None:
    name = weight_dequantizer(model).input[0]
    set_constant(model, name, numpy_helper.to_array(constant(model, name)), "int32")


def a_batch_that_is_left_open(model: onnx.ModelProto) -> None:
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


def a_float64_constant(model: onnx.ModelProto) -> None:
    name = first(model, "Sub").input[1]
    set_constant(model, name, numpy_helper.to_array(constant(model, name)), "float64")


def float16_beside_float32(model: onnx.ModelProto) -> None:
    name = first(model, "Sub").input[1]
    set_constant(model, name, numpy_helper.to_array(constant(model, name)), "float16")


def int64_arithmetic(model: onnx.ModelProto) -> None:
    integers = helper.make_node("Cast", ["before"], ["integers"], "to_int64", to=TensorProto.INT64)
    doubled = helper.make_node("Add", ["integers", "integers"], ["doubled"], "doubling")
    add_before_output(model, integers, doubled, helper.make_node("Cast", ["doubled"], ["probabilities"], "back", to=1))


def a_shape_that_the_network_computes(model: onnx.ModelProto) -> None:
    shape = helper.make_node("Shape", ["before"], ["shape"], "shaping")
    add_before_output(model, shape, helper.make_node("Reshape", ["before", "shape"], ["probabilities"], "reshaping"))


def uint8_inside_the_network(model: onnx.ModelProto) -> None:
    grey = helper.make_node("Cast", ["before"], ["grey"], "to_uint8", to=TensorProto.UINT8)
    add_before_output(model, grey, helper.make_node("Cast", ["grey"], ["probabilities"], "back", to=TensorProto.FLOAT))


def arithmetic_on_the_uint8_image(model: onnx.ModelProto) -> None:
    cast = first(model, "Cast")
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name == cast.output[0]:
                node.input[position] = "image"


def pooling_with_dilations(model: onnx.ModelProto) -> None:
    attributes = first(model, "MaxPool").attribute
    kept = [each for each in attributes if each.name != "dilations"]
    del attributes[:]
    attributes.extend([*kept, helper.make_attribute("dilations", [2, 2])])


FAULTS: dict[Change, str] = {
    an_operator_of_another_library: r"^odd \(Gelu\): not an operator",
    an_operator_that_is_not_in_the_table: r"^odd \(Det\): not an operator",
    a_zero_point_other_than_0: r"\(QuantizeLinear\): its zero-point '.*' is not 0$",
    a_uint8_zero_point: r"\(QuantizeLinear\): its zero-point '.*' is uint8 instead of int8$",
    no_zero_point: r"\(QuantizeLinear\): has no zero-point",
    a_scale_of_0: r"\(QuantizeLinear\): its scale '.*' is not positive$",
    a_scale_that_is_no_number: r"\(QuantizeLinear\): its scale '.*' is not positive$",
    a_scale_that_the_network_computes: r"\(QuantizeLinear\): its scale 'computed' is no constant$",
    several_scales_for_activations: r"\(QuantizeLinear\): its scale '.*' has \d+ values for '.*', which is no weight",
    weight_scales_along_the_input_channels: r"\(DequantizeLinear\): its scale '.*' is not one value for each output",
    int32_weights: r"\(DequantizeLinear\): '.*' is int32, and the operator takes .*int8 only$",
    a_batch_that_is_left_open: r"^the shape of 'image' is not static \(batchx1x",
    a_float64_constant: r"^sub_1 \(Sub\): '.*' is float64, and the operator takes",
    float16_beside_float32: r"^sub_1 \(Sub\): its inputs mix float16 and float32",
    int64_arithmetic: r"^doubling \(Add\): 'integers' \(int64\) is no constant",
    a_shape_that_the_network_computes: r"^reshaping \(Reshape\): 'shape' \(int64\) is no constant",
    uint8_inside_the_network: r"^to_uint8 \(Cast\): gives 'grey' in uint8",
    arithmetic_on_the_uint8_image: r"\(Sub\): 'image' is uint8, and the operator takes",
    pooling_with_dilations: r"\(MaxPool\): has dilations",
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items(), ids=lambda it: getattr(it, "__name__", ""))
def test_a_fault_is_found_in_every_release(int8_model: onnx.ModelProto, fault: Change, expected: str) -> None:
    fault(int8_model)
    for release in RELEASES:
        assert_found(objections(int8_model, release), expected)


def test_factors_of_a_float16_layer_would_be_float32(half_model: onnx.ModelProto) -> None:
    gemm = first(half_model, "Gemm")
    for name in gemm.input[1:]:
        set_constant(half_model, name, numpy_helper.to_array(constant(half_model, name)), "float16")
    gemm.attribute.append(helper.make_attribute("alpha", 0.5))
    halved = helper.make_node("Cast", [gemm.input[0]], ["halved"], "halving", to=TensorProto.FLOAT16)
    gemm.input[0] = "halved"
    half_model.graph.node.insert(list(half_model.graph.node).index(gemm), halved)
    assert_found(objections(half_model, RELEASES[0]), r"\(Gemm\): alpha and beta other than 1 are float32")


def test_a_graph_that_onnx_cannot_follow_is_one_line(int8_model: onnx.ModelProto) -> None:
    add_before_output(int8_model, helper.make_node("Gelu", ["before"], ["probabilities"], "odd", domain="not.imported"))
    with pytest.raises(GraphError, match=r"types cannot be inferred: .*No opset import for domain not\.imported"):
        objections(int8_model, RELEASES[0])


def assert_found(lines: list[str], expected: str) -> None:
    assert any(re.search(expected, line) for line in lines), lines
