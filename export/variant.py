"""The two ways of quantising, from one calibration: static INT8 graphs with explicit Q/DQ nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from export.errors import GraphError
from export.graph import (
    excitation_layers,
    first_convolution,
    head_layers,
    layer_names,
    pool_before_relu,
    stem_nodes,
)

STEM = "stem"
EXCITATION = "squeeze-and-excitation"
HEAD = "head"
HEAD_REASON = "under 1 % of the arithmetic; its outputs decide between classes"
EXCITATION_REASON = "under 1 % of the arithmetic, on one pixel; its outputs weigh whole channels"


@dataclass(frozen=True)
class Variant:
    """One way of quantising, for one kind of engine."""

    file_name: str
    activations: str
    activation_type: QuantType
    op_types: tuple[str, ...]
    float_layers: Mapping[str, str]
    """Layer to the reason why it stays in float, passed over by a network without it.

    `stem` stands for the first convolution, `head` for all fully connected layers, `squeeze-and-excitation` for the
    layers that weigh channels.
    """
    pool_first: bool
    """Whether the stem pools before its ReLU."""
    for_tensorrt: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    """For ONNX Runtime's quantiser."""


U8 = Variant(
    file_name="int8-u8.onnx",
    activations="uint8",
    activation_type=QuantType.QUInt8,
    op_types=("Conv", "Relu", "Add"),
    float_layers={
        STEM: "ONNX Runtime's integer kernel for one channel is slower than its float one, and rounding"
        " this layer made most of what INT8 changed",
        EXCITATION: EXCITATION_REASON,
        HEAD: HEAD_REASON,
    },
    # ONNX Runtime moves the quantisation ahead of a pooling that it follows, and pools bytes eight times as slowly.
    pool_first=True,
    for_tensorrt=False,
    options={"ActivationSymmetric": False, "WeightSymmetric": True},
)
S8 = Variant(
    file_name="int8-s8.onnx",
    activations="int8",
    activation_type=QuantType.QInt8,
    op_types=("Conv",),
    float_layers={
        STEM: "TensorRT's builder has no INT8 kernel for a stem of few channels with ReLU and pooling",
        "layer1.0.conv1": "half of what int8 activations change comes from its input, which has rare high peaks",
        EXCITATION: EXCITATION_REASON,
        HEAD: HEAD_REASON,
    },
    pool_first=False,
    for_tensorrt=True,
    # As NVIDIA's Model Optimizer places Q/DQ: before convolutions, whose outputs reach ReLU and addition in full
    # precision. TensorRT's parser refuses the int32 DequantizeLinear of a quantised bias.
    options={
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": ["Conv"],
    },
)
VARIANTS = (U8, S8)


def float_layers(variant: Variant, model: onnx.ModelProto, further: Sequence[str] = ()) -> dict[str, str]:
    """Every layer of `model` that stays in float, with the reason. Raises GraphError for one that it does not have."""
    known = layer_names(model)
    several = {STEM: [first_convolution(model)], EXCITATION: excitation_layers(model), HEAD: head_layers(model)}
    resolved: dict[str, str] = {}
    for layer, reason in variant.float_layers.items():
        resolved |= dict.fromkeys(several.get(layer, [layer] if layer in known else []), reason)
    unknown = sorted(set(further) - set(known))
    if unknown:
        raise GraphError(f"the graph has no layer {', '.join(unknown)} to leave in float; it has {', '.join(known)}")
    return {**resolved, **dict.fromkeys(further, "asked for on the command line")}


def quantized_model(
    fp32: onnx.ModelProto, ranges: TensorsData, variant: Variant, left_in_float: Sequence[str]
) -> onnx.ModelProto:
    """The Q/DQ graph of one variant; `ranges` are those of `export.ranges` for this graph."""
    model = onnx.ModelProto()
    model.CopyFrom(fp32)
    stem = [node.name for node in stem_nodes(model)] if first_convolution(model) in left_in_float else []
    if variant.pool_first and stem:
        pool_before_relu(model)
    quantizer = QDQQuantizer(
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=variant.activation_type,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=[*left_in_float, *stem],
        op_types_to_quantize=list(variant.op_types),
        extra_options=dict(variant.options),
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantized: onnx.ModelProto = quantizer.model.model
    onnx.checker.check_model(quantized, full_check=True)
    return quantized
