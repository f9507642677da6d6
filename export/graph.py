"""Small changes to an exported ONNX graph that do not change what it computes."""

from __future__ import annotations

from collections import Counter

import onnx

from export.errors import GraphError

TRUNK_PREFIX = "network.trunk."
HEAD_PREFIX = "network.head."
HEAD_OP_TYPE = "Gemm"
STEM_ACTIVATIONS = ("Relu", "HardSwish")
POOLING_OP_TYPE = "MaxPool"
MEAN_OP_TYPE = "ReduceMean"


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
    """Give nodes the name of the layer whose weight they hold, others their operator and a number.

    So `layer1.0.conv1` in a ResNet and `maps.0.0` in a MobileNetV3.
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


def first_convolution(model: onnx.ModelProto) -> str:
    """Name of the layer that sees the image. Raises GraphError where the graph has no convolution."""
    name: str | None = next((node.name for node in model.graph.node if node.op_type == "Conv"), None)
    if name is None:
        raise GraphError("the graph has no convolution; export it again")
    return name


def stem_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """First convolution and its activation, and the pooling where there is one. Raises GraphError for other graphs."""
    name = first_convolution(model)
    convolution = next(node for node in model.graph.node if node.name == name)
    (activation,) = readers_of(model, convolution)[:1] or [convolution]
    if activation.op_type not in STEM_ACTIVATIONS:
        raise GraphError(f"{name} is not followed by one of {', '.join(STEM_ACTIVATIONS)}; export the graph again")
    pooling = [node for node in readers_of(model, activation) if node.op_type == POOLING_OP_TYPE]
    return [convolution, activation, *pooling]


def trunk_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """From the first convolution to what the head takes the mean of. Raises GraphError where there is no such piece."""
    nodes = list(model.graph.node)
    head = next((place for place, node in enumerate(nodes) if node.op_type == HEAD_OP_TYPE), 0)
    means = [place for place, node in enumerate(nodes[:head]) if node.op_type == MEAN_OP_TYPE]
    first = next(place for place, node in enumerate(nodes) if node.name == first_convolution(model))
    trunk = nodes[first : means[-1]] if means else []
    made = {name for node in trunk for name in node.output} | {each.name for each in model.graph.initializer}
    outside = {name for node in trunk[1:] for name in node.input} - made
    inside = {name for node in trunk[:-1] for name in node.output}
    leaving = {name for node in nodes if node not in trunk for name in node.input} & inside
    if not trunk or outside or leaving:
        raise GraphError("the trunk does not run from the first convolution to the head in one piece; export it again")
    return trunk


def readers_of(model: onnx.ModelProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that take what `node` gives, in the order of the computation."""
    return [each for each in model.graph.node if node.output[0] in each.input]


def pool_before_relu(model: onnx.ModelProto) -> None:
    """Exchange the stem's ReLU and pooling, which commute: the maximum over a window keeps its sign.

    A stem without a pooling stays as it is.
    """
    convolution, relu, *poolings = stem_nodes(model)
    if not poolings:
        return
    (pooling,) = poolings
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


def excitation_layers(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions of one pixel that weigh channels: squeeze-and-excitation, of MobileNetV3 alone."""
    return [name for name in layer_names(model) if name.endswith((".fc1", ".fc2"))]


def layer_names(model: onnx.ModelProto) -> list[str]:
    """Names of the layers that hold weights, in the order of the computation."""
    return [node.name for node in model.graph.node if node.op_type in ("Conv", HEAD_OP_TYPE)]
