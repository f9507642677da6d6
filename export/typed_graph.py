"""An ONNX graph whose tensors can be asked for their value, type and shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.errors import GraphError

UNKNOWN = "unknown"


@dataclass(frozen=True)
class TypedGraph:
    """A model after ONNX's inference of types and shapes."""

    model: onnx.ModelProto

    @cached_property
    def nodes(self) -> list[onnx.NodeProto]:
        return list(self.model.graph.node)

    @cached_property
    def ends(self) -> list[onnx.ValueInfoProto]:
        """Inputs and outputs of the whole graph."""
        return [*self.model.graph.input, *self.model.graph.output]

    @cached_property
    def constants(self) -> dict[str, NDArray[np.generic]]:
        """What is known before the network runs, by tensor."""
        given = [(node.output[0], each.t) for node in self.nodes for each in node.attribute if each.name == "value"]
        stored = [(each.name, each) for each in self.model.graph.initializer]
        return {name: numpy_helper.to_array(tensor) for name, tensor in (*stored, *given)}

    @cached_property
    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        """The nodes that take a tensor as input, by tensor."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def type_of(self, name: str) -> str:
        """The NumPy name of a tensor's type, such as `float16`; UNKNOWN where it does not follow from the inputs'."""
        if name in self.constants:
            return self.constants[name].dtype.name
        value = self._values.get(name)
        if value is None or value.elem_type == TensorProto.UNDEFINED:
            return UNKNOWN
        return str(helper.tensor_dtype_to_np_dtype(value.elem_type).name)

    def maybe_open_shape(self, name: str) -> str | None:
        """A tensor's shape in words where it is not static, None where it is."""
        value = self._values.get(name)
        if name in self.constants or (value is not None and value.HasField("shape") and _is_static(value)):
            return None
        sizes: Sequence[object] = [] if value is None else [_size(dimension) for dimension in value.shape.dim]
        return "x".join(map(str, sizes)) or UNKNOWN

    @cached_property
    def _values(self) -> dict[str, onnx.TypeProto.Tensor]:
        return {each.name: each.type.tensor_type for each in (*self.ends, *self.model.graph.value_info)}


def typed_graph(model: onnx.ModelProto) -> TypedGraph:
    """`model` with the types and shapes that follow from its inputs'; what does not follow stays open.

    Raises GraphError for a graph that ONNX cannot follow at all.
    """
    try:
        return TypedGraph(onnx.shape_inference.infer_shapes(model, data_prop=True))
    except onnx.shape_inference.InferenceError as error:
        raise GraphError(f"its types cannot be inferred: {' '.join(str(error).split())}; export it again") from error


def title_of(node: onnx.NodeProto) -> str:
    """A node in a message."""
    return f"{node.name or 'unnamed'} ({node.op_type})"


def _is_static(value: onnx.TypeProto.Tensor) -> bool:
    return all(dimension.dim_value > 0 for dimension in value.shape.dim)


def _size(dimension: onnx.TensorShapeProto.Dimension) -> object:
    return dimension.dim_value or dimension.dim_param or "?"
