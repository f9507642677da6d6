"""Which ONNX operators TensorRT's parser reads, and in which types, as published by its authors.

From `docs/operators.md` of onnx/onnx-tensorrt, the parser's own project: of 10.1 GA (96e7811), 10.16 (6bde659) and 11.1
(7c51a63), the commits that NVIDIA/TensorRT's tags v10.1.0, v10.16 and v11.1 name. Each has the rows below, and some has
more types in them. The file of 10.3 itself was not at hand; the parser's changelog for 10.2 and 10.3 speaks of none of
these rows but Slice's. 11.1 stands for 11.4, whose parser's source was not published at the time of writing.

Operators of other kinds of network are left out, and so are those whose inputs differ in type from one another; what is
not here is objected to, and has to be looked up before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOAT = frozenset({"float32", "float16", "bfloat16"})
NUMBER = FLOAT | {"int32", "int64"}
ANY = NUMBER | {"bool"}


@dataclass(frozen=True)
class Release:
    """One version of TensorRT that this project speaks of."""

    name: str
    opsets: range
    """Those that its parser reads."""


RELEASES = (
    Release("10.3", range(9, 20 + 1)),
    Release("10.16", range(9, 24 + 1)),
    Release("11.4", range(9, 24 + 1)),
)

_BY_TYPES = {
    FLOAT: "AveragePool BatchNormalization Ceil Celu Clip Conv ConvTranspose Elu Erf Exp Floor Gemm GlobalAveragePool"
    " GlobalMaxPool HardSigmoid HardSwish InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax LRN MatMul"
    " MaxPool PRelu Pow Reciprocal Round Selu Sigmoid Softmax Softplus Softsign Sqrt Tanh",
    NUMBER: "Abs Add Div Max Min Mul Neg Pad ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean"
    " ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Sign Sub Sum",
    ANY: "Concat Constant Expand Flatten Gather Identity Reshape Slice Split Squeeze Tile Transpose Unsqueeze Where",
    ANY | {"uint8"}: "Cast",
    # Quantised types exist between these two only (ibid., second note); float16 scales come with opset 19.
    FLOAT | {"int8"}: "QuantizeLinear DequantizeLinear",
}
TYPES = {operator: types for types, operators in _BY_TYPES.items() for operator in operators.split()}
"""Operator to the types of its inputs and outputs."""
