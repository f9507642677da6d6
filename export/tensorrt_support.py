"""Whether TensorRT can be expected to take a graph: each operator, type and Q/DQ node against what is published.

No TensorRT is asked, so this finds what is known to fail and proves nothing that works. Beside the table of
`tensorrt_operators.py` stand rules, their source in brackets. [parser]: onnx/onnx-tensorrt at 96e7811 (10.1),
ModelImporter.cpp, onnxOpImporters.cpp and importerUtils.cpp, and a later QuantDequantLinearHelper, which knows
kENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA. [header]: NvInfer.h of NVIDIA/TensorRT at v10.3.0 and v11.1,
IQuantizeLayer and IDequantizeLayer. [ours]: narrower than TensorRT asks for, since no graph of this project needs
more and every engine is strongly typed and of one shape.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from export.errors import GraphError
from export.tensorrt_operators import FLOAT, RELEASES, TYPES, Release
from export.typed_graph import TypedGraph, title_of, typed_graph

QUANTIZING = ("QuantizeLinear", "DequantizeLinear")
POOLING = ("MaxPool", "AveragePool")
ONNX_DOMAINS = ("", "ai.onnx")
COUNTING = ("int32", "int64", "bool")


def check_tensorrt_support(model: onnx.ModelProto, what: str) -> None:
    """Raise GraphError, naming `what`, where a TensorRT that this project speaks of would refuse `model`."""
    for release in RELEASES:
        found = objections(model, release)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise GraphError(f"{what}: TensorRT {release.name} would refuse it: {found[0]}{more}; export it again")


def objections(model: onnx.ModelProto, release: Release) -> list[str]:
    """What stands against building `model`, a line each that names node, operator, tensor and type; empty: nothing."""
    graph = typed_graph(model)
    found = [*_to_opset(graph, release), *_to_ends(graph)]
    for node in graph.nodes:
        found += [*_to_operator(graph, node)]
        found += [*_to_quantization(graph, node)] if node.op_type in QUANTIZING else []
    return found


def _to_opset(graph: TypedGraph, release: Release) -> Iterator[str]:
    for opset in graph.model.opset_import:
        if opset.domain in ONNX_DOMAINS and opset.version not in release.opsets:
            yield f"opset {opset.version} is none of {release.opsets[0]} to {release.opsets[-1]}"


def _to_ends(graph: TypedGraph) -> Iterator[str]:
    for end in graph.ends:
        if shape := graph.maybe_open_shape(end.name):
            yield f"the shape of {end.name!r} is not static ({shape})"  # [ours]


def _to_operator(graph: TypedGraph, node: onnx.NodeProto) -> Iterator[str]:
    if node.domain not in ONNX_DOMAINS or node.op_type not in TYPES:
        yield f"{title_of(node)}: not an operator that TensorRT's parser is known to read"
        return
    for name in filter(None, (*node.input, *node.output)):
        if graph.type_of(name) not in TYPES[node.op_type]:
            taken = ", ".join(sorted(TYPES[node.op_type]))
            yield f"{title_of(node)}: {name!r} is {graph.type_of(name)}, and the operator takes {taken} only"
    floats = {graph.type_of(name) for name in node.input} & FLOAT
    if len(floats) > 1:
        yield f"{title_of(node)}: its inputs mix {' and '.join(sorted(floats))}, which a strongly typed network refuses"
    yield from _to_inputs(graph, node)
    yield from _to_outputs(graph, node)
    yield from _to_attributes(node, floats)


def _to_inputs(graph: TypedGraph, node: onnx.NodeProto) -> Iterator[str]:
    for name in node.input:
        kind = graph.type_of(name)
        if kind in COUNTING and name not in graph.constants:  # [ours]; for axes of reductions also [parser]
            yield f"{title_of(node)}: {name!r} ({kind}) is no constant; export the graph with static shapes"


def _to_outputs(graph: TypedGraph, node: onnx.NodeProto) -> Iterator[str]:
    ends = {end.name for end in graph.ends}
    for name in node.output:
        if name in ends:
            continue
        if graph.type_of(name) == "uint8":  # [parser]
            yield f"{title_of(node)}: gives {name!r} in uint8, which only inputs and outputs of the network may have"
        if shape := graph.maybe_open_shape(name):
            yield f"{title_of(node)}: the shape of {name!r} is not static ({shape})"  # [ours]


def _to_attributes(node: onnx.NodeProto, floats: set[str]) -> Iterator[str]:
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if node.op_type in POOLING:  # [parser], and the table's restrictions
        plain = set(attributes.get("dilations", [1])) == {1} and len(node.output) == 1
        if not plain or len(attributes["kernel_shape"]) not in (2, 3):
            yield f"{title_of(node)}: has dilations, indices, or other than two or three dimensions"
    factors = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if node.op_type == "Gemm" and factors != (1.0, 1.0) and floats != {"float32"}:
        # the parser makes float32 constants of the two [parser]
        yield f"{title_of(node)}: alpha and beta other than 1 are float32 in TensorRT, its inputs are not"


def _to_quantization(graph: TypedGraph, node: onnx.NodeProto) -> Iterator[str]:
    data, scale, zero_point = (*node.input, "")[:3]
    if not zero_point:
        # ONNX means uint8 then, and the parser makes int8 of it [parser]
        yield f"{title_of(node)}: has no zero-point, which says that it quantises to int8"
    for role, name in (("scale", scale), ("zero-point", zero_point)):
        if name and name not in graph.constants:  # [header]
            yield f"{title_of(node)}: its {role} {name!r} is no constant"
    if zero_point in graph.constants:
        yield from _to_zero_point(node, graph.constants[zero_point])
    if scale in graph.constants:
        yield from _to_scale(graph, node, data, graph.constants[scale])


def _to_zero_point(node: onnx.NodeProto, zero_point: NDArray[np.generic]) -> Iterator[str]:
    title = f"{title_of(node)}: its zero-point {node.input[2]!r}"
    if zero_point.dtype != np.int8:  # other types are refused, or taken for int8 with a warning [parser]
        yield f"{title} is {zero_point.dtype.name} instead of int8"
    if np.any(zero_point != 0):  # [parser] [header]
        yield f"{title} is not 0"


def _to_scale(graph: TypedGraph, node: onnx.NodeProto, data: str, scale: NDArray[np.generic]) -> Iterator[str]:
    title = f"{title_of(node)}: its scale {node.input[1]!r}"
    if not np.all(scale.astype(np.float32) > 0):  # [parser] [header]
        yield f"{title} is not positive"
    if scale.size == 1:
        return
    if data not in graph.constants:  # [header]
        yield f"{title} has {scale.size} values for {data!r}, which is no weight and takes one"
        return
    axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
    for reader in graph.readers.get(node.output[0], []):
        wanted = _output_channel_axis(reader)
        if axis != wanted or scale.shape != graph.constants[data].shape[wanted : wanted + 1]:  # [parser] [header]
            yield f"{title} is not one value for each output channel of {title_of(reader)}, along axis {wanted}"


def _output_channel_axis(reader: onnx.NodeProto) -> int:
    if reader.op_type == "Gemm":
        return 0 if any(each.name == "transB" and each.i for each in reader.attribute) else 1
    return 1 if reader.op_type in ("ConvTranspose", "MatMul") else 0
