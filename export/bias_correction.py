"""Taking out the mean shift that quantisation leaves in the features before the head.

Rounding a filter's weights shifts the mean of what it answers, and the shifts of many layers do not cancel: on one
stethoscope they made half of what INT8 changed in the probabilities. The mean of each feature over calibration images
is compared with the float graph's, and the difference goes into the first bias of the head, which is a float in every
variant: it costs nothing when running. After Nagel et al., "Data-free quantization through weight equalization and
bias correction" (ICCV 2019), section 4.2, at the one place that all layers' shifts come together.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.errors import GraphError
from export.graph import HEAD_OP_TYPE
from export.inference import open_session


def correct_bias(quantized: onnx.ModelProto, fp32: onnx.ModelProto, images: NDArray[np.uint8]) -> str:
    """Change the head's first bias in `quantized` as if its features' means over `images` were those of `fp32`.

    `images` is uint8 [n, C, H, W]. Returns the layer's name. Raises GraphError where the head is not the expected one.
    """
    shift = feature_means(fp32, images) - feature_means(quantized, images)
    head = _first_head_layer(quantized)
    constants = {each.name: each for each in quantized.graph.initializer}
    if len(head.input) < 3 or not set(head.input[1:]) <= constants.keys():
        raise GraphError("the head's first layer has no constant weights and bias; export the graph again")
    weight, bias = (numpy_helper.to_array(constants[name]) for name in head.input[1:])
    transposed = any(each.name == "transB" and each.i for each in head.attribute)
    corrected = bias + (weight if transposed else weight.T) @ shift
    constants[head.input[2]].CopyFrom(numpy_helper.from_array(corrected.astype(np.float32), head.input[2]))
    return head.name


def feature_means(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean over `images` of each feature that enters the head, float64 [features]."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    name = _first_head_layer(model).input[0]
    exposed.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = open_session(exposed)
    features = [session.run([name], {"image": image[np.newaxis]})[0][0] for image in images]
    return np.asarray(np.mean(features, axis=0, dtype=np.float64))


def _first_head_layer(model: onnx.ModelProto) -> onnx.NodeProto:
    head: onnx.NodeProto | None = next((node for node in model.graph.node if node.op_type == HEAD_OP_TYPE), None)
    if head is None:
        raise GraphError("the graph has no fully connected layer; export it again")
    return head
