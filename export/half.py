"""FP16 by casts: the trunk's arithmetic in float16, what is small or delicate in float32.

TensorRT 11 knows no precision flags any more: precision is what the graph says. Converters at hand (of ONNX Runtime, of
onnxconverter-common) cast to float16 and back between two float32 nodes; here one Cast stands before the first
convolution and one before the mean that the head takes.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.errors import GraphError
from export.graph import trunk_nodes

FLOAT32_PARTS = {
    "input": "grey levels to 255 are averaged over a row; float16 would round the mean",
    "head": "under 1 % of the arithmetic; its outputs decide between classes",
}
LARGEST = float(np.finfo(np.float16).max)


def half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of an FP32 graph that computes its trunk in float16. Raises GraphError for weights beyond its range."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    trunk = trunk_nodes(half)
    _halve_weights(half, {name for node in trunk for name in node.input})
    entry, leaving = trunk[0].input[0], trunk[-1].output[0]
    readers = [node for node in half.graph.node if leaving in node.input]
    _read_instead([trunk[0]], entry, "trunk_input")
    _read_instead(readers, leaving, "trunk_output")
    nodes = list(half.graph.node)
    nodes.insert(nodes.index(readers[0]), _cast(leaving, "trunk_output", TensorProto.FLOAT))
    nodes.insert(nodes.index(trunk[0]), _cast(entry, "trunk_input", TensorProto.FLOAT16))
    _replace_nodes(half, nodes)
    half = onnx.shape_inference.infer_shapes(half, check_type=True, strict_mode=True, data_prop=True)
    onnx.checker.check_model(half, full_check=True)
    return half


def _halve_weights(model: onnx.ModelProto, names: set[str]) -> None:
    for each in model.graph.initializer:
        # Axes of a mean over an image are whole numbers, and stay what they are.
        if each.name in names and each.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(each)
            if np.abs(values).max(initial=0) > LARGEST:
                raise GraphError(f"{each.name}: holds weights beyond {LARGEST:.0f}, the largest number of float16")
            each.CopyFrom(numpy_helper.from_array(values.astype(np.float16), each.name))


def _read_instead(readers: list[onnx.NodeProto], old: str, new: str) -> None:
    for node in readers:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def _cast(source: str, target: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=to)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(copies)
