"""A network in PyTorch where the device's pipeline expects an engine: checkpoints heard as recordings are."""

from __future__ import annotations

from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray

from edge.bundle import Bundle, ModelFile
from train.checkpoint import Checkpoint, network_from_checkpoint
from train.errors import CheckpointError


class NetworkEngine:
    """An `edge.engine.engine.Engine`, in float32 on the processor."""

    name = "pytorch-cpu-fp32"

    def __init__(self, checkpoint: Checkpoint, bundle: Bundle) -> None:
        """`bundle` is whom the checkpoint stands in for. Raises CheckpointError where their images differ."""
        ours, theirs = checkpoint.spec.fingerprint(), bundle.spec.fingerprint()
        if ours != theirs:
            raise CheckpointError(
                f"the checkpoint sees features {ours}, {bundle.folder} {theirs}; give both of the same features"
            )
        self.model: ModelFile = next(iter(bundle.files.values()))
        self._network = network_from_checkpoint(checkpoint).eval()

    @torch.inference_mode()
    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32 [batch, 4] of uint8 images [batch, *image_shape]."""
        return np.asarray(self._network.probabilities_from(self._network(torch.from_numpy(images))), dtype=np.float32)

    def close(self) -> None:
        """Nothing to free."""

    def __enter__(self) -> NetworkEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
