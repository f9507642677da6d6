"""Small changes to an exported ONNX graph that do not change what it computes."""

from __future__ import annotations

from collections import Counter

import onnx

from export.errors import GraphError

TRUNK_PREFIX = "network.trunk."
HEAD_PREFIX = "network.head."
FIRST_CONVOLUTION = "conv1"
HEAD_OP_TYPE = "Gemm"
STEM_OP_TYPES = ("Conv", "Relu", "MaxPool")


def strip_annotations(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: stack traces with paths of the machine that exported, and names of its internals."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    del model.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def with_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """A copy whose every shape is static, for `batch` images at a time. Raises GraphError where one stays unknown."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for value in (*fixed.graph.input, *fixed.graph.output):
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        first.dim_value = batch
    fixed = onnx.shape_inference.infer_shapes(fixed, check_type=True, strict_mode=True, data_prop=True)
    unknown = [value.name for value in fixed.graph.value_info if not _is_static(value)]
    if unknown:
        raise GraphError(f"the shapes of {', '.join(unknown)} do not follow from the input's; export it again")
    return fixed


def batch_of(model: onnx.ModelProto) -> int:
    """How many images the graph takes at a time; 0 where that is left open."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[0].dim_value)


def _is_static(value: onnx.ValueInfoProto) -> bool:
    return all(dimension.dim_value > 0 for dimension in value.type.tensor_type.shape.dim)


def name_nodes_by_layer(model: onnx.ModelProto) -> None:
    """Give nodes the name of the layer whose weight they hold (`layer1.0.conv1`), others their operator and a number.

    The exporter's own names are running numbers that change with its version; a manifest names layers for people.
    """
    weights = {initializer.name for initializer in model.graph.initializer}
    seen: Counter[str] = Counter()
    for node in model.graph.node:
        weight = next((name for name in node.input if name in weights and name.endswith(".weight")), None)
        if weight is None:
            seen[node.op_type] += 1
            node.name = f"{node.op_type.lower()}_{seen[node.op_type]}"
        else:
            node.name = weight.removesuffix(".weight").removeprefix(TRUNK_PREFIX).removeprefix("network.")


def stem_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """First convolution, ReLU and pooling. Raises GraphError where the graph does not begin with them."""
    names = {node.name: node for node in model.graph.node}
    readers = {name: node for node in model.graph.node for name in node.input}
    chain = [names[FIRST_CONVOLUTION]] if FIRST_CONVOLUTION in names else []
    while chain and len(chain) < len(STEM_OP_TYPES):
        chain.append(readers[chain[-1].output[0]])
    if [node.op_type for node in chain] != list(STEM_OP_TYPES):
        raise GraphError(f"the graph does not begin with {', '.join(STEM_OP_TYPES)}; export it again")
    return chain


def pool_before_relu(model: onnx.ModelProto) -> None:
    """Exchange the stem's ReLU and pooling, which commute: the maximum over a window keeps its sign."""
    convolution, relu, pooling = stem_nodes(model)
    first, second = relu.output[0], pooling.output[0]
    pooling.input[0], pooling.output[0] = convolution.output[0], first
    relu.input[0], relu.output[0] = first, second
    nodes = list(model.graph.node)
    at_relu, at_pooling = nodes.index(relu), nodes.index(pooling)
    nodes[at_relu], nodes[at_pooling] = pooling, relu
    ordered = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(ordered)


def head_layers(model: onnx.ModelProto) -> list[str]:
    """Names of the fully connected layers after the trunk."""
    return [node.name for node in model.graph.node if node.op_type == HEAD_OP_TYPE]


def layer_names(model: onnx.ModelProto) -> list[str]:
    """Names of the layers that hold weights, in the order of the computation."""
    return [node.name for node in model.graph.node if node.op_type in ("Conv", HEAD_OP_TYPE)]
