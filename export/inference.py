"""Probabilities of a batch of images, through PyTorch in float32 or through ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from export.errors import GraphError
from train.network import RespireNetwork

_BATCH = 32
_ERRORS_ONLY = 3


@torch.inference_mode()
def torch_probabilities(
    network: RespireNetwork, images: NDArray[np.uint8], batch_size: int = _BATCH
) -> NDArray[np.float32]:
    """float32 [n, 4] of uint8 [n, C, H, W], computed in float32; training evaluates in less."""
    parts = [
        network.probabilities_from(network(torch.from_numpy(images[start : start + batch_size]))).numpy()
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)


def open_session(
    model: Path | onnx.ModelProto, threads: int = 0, *, optimised: bool = True
) -> onnxruntime.InferenceSession:
    """A CPU session; `threads` 0 lets ONNX Runtime choose. Raises GraphError where the graph cannot be run.

    Not `optimised`, each node is computed as it stands, Q/DQ in floating point.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes share no public base
        raise GraphError(
            f"{model if isinstance(model, Path) else 'the graph'}: ONNX Runtime refuses it: {error}"
        ) from error


def onnx_probabilities(session: onnxruntime.InferenceSession, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 [n, 4] of uint8 [n, C, H, W], in batches of the size that the graph fixes; the last one is filled up."""
    fixed = session.get_inputs()[0].shape[0]
    batch = fixed if isinstance(fixed, int) else _BATCH
    parts = []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        missing = batch - len(part) if isinstance(fixed, int) else 0
        filled = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
        parts.append(session.run(None, {"image": filled})[0][: len(part)])
    return np.concatenate(parts)


def cycle_probabilities(per_image: NDArray[np.float32], cycle_of_image: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32 [number of cycles, 4]: a cycle of several windows gets the mean over its windows, as on the device."""
    totals = np.zeros((int(cycle_of_image[-1]) + 1, per_image.shape[1]), np.float32)
    np.add.at(totals, cycle_of_image, per_image)
    windows = np.bincount(cycle_of_image, minlength=len(totals)).astype(np.float32)
    return np.asarray(totals / windows[:, np.newaxis], dtype=np.float32)
