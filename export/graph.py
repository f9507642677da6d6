"""Small changes to an exported ONNX graph that do not change what it computes."""

from __future__ import annotations

from collections import Counter

import onnx

TRUNK_PREFIX = "network.trunk."
HEAD_PREFIX = "network.head."
FIRST_CONVOLUTION = "conv1"
HEAD_OP_TYPE = "Gemm"


def strip_annotations(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: stack traces with paths of the machine that exported, and names of its internals."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    del model.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


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


def head_layers(model: onnx.ModelProto) -> list[str]:
    """Names of the fully connected layers after the trunk."""
    return [node.name for node in model.graph.node if node.op_type == HEAD_OP_TYPE]


def layer_names(model: onnx.ModelProto) -> list[str]:
    """Names of the layers that hold weights, in the order of the computation."""
    return [node.name for node in model.graph.node if node.op_type in ("Conv", HEAD_OP_TYPE)]
