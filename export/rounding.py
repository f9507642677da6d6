"""Rounding of the first convolution's weights to int8 so that each filter keeps its sum.

Neighbouring pixels of a spectrogram are nearly equal, so over most of an image a filter of the first layer answers with
its sum times the grey level, and the rounding errors of its 49 weights add up instead of cancelling. Rounding each
weight to the nearest step therefore shifts whole feature maps: in a ResNet-34 of half width it made four fifths of what
INT8 changed in the probabilities (docs/export.md). Sharing the steps out by largest remainder (Hamilton's method) moves
one weight in thirty to its other neighbour and takes that away, at no cost when running.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from export.errors import GraphError
from export.graph import FIRST_CONVOLUTION

STEPS = 127
"""The largest int8 step that ONNX Runtime's symmetric weights use, on either side of 0."""


def keep_filter_sums(model: onnx.ModelProto) -> None:
    """Replace the first convolution's weights by ones that quantisation represents exactly. Raises GraphError."""
    node = next((node for node in model.graph.node if node.name == FIRST_CONVOLUTION), None)
    name = node.input[1] if node else None
    weight = next((each for each in model.graph.initializer if each.name == name), None)
    if weight is None:
        raise GraphError(f"the graph has no layer {FIRST_CONVOLUTION} with constant weights; export it again")
    rounded = rounded_keeping_sums(onnx.numpy_helper.to_array(weight))
    weight.CopyFrom(onnx.numpy_helper.from_array(rounded, weight.name))


def rounded_keeping_sums(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights [out, in, height, width] in steps of each output channel, each filter's sum kept to half a step."""
    steps = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / STEPS
    exact = weights.astype(np.float64) / np.where(steps > 0, steps, 1)
    filters = exact.reshape(-1, exact.shape[2] * exact.shape[3])
    shared = np.stack([_shared_out(each) for each in filters]).reshape(exact.shape)
    return np.asarray(np.clip(shared, -STEPS, STEPS) * steps, dtype=np.float32)


def _shared_out(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integers next to `exact` whose sum is nearest to its sum: the largest remainders are rounded up."""
    # A hair more, or the largest weight, which is 127 steps long but for float32's last digit, would fall to 126.
    floors = np.floor(exact + 1e-4)
    remainders = exact - floors
    raised = np.argsort(-remainders, kind="stable")[: round(float(remainders.sum()))]
    floors[raised] += 1
    return floors
