"""What may be chosen about the build of a TensorRT engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuilderOptions:
    """The precision is not among them: that stands in the ONNX file, and networks are always strongly typed."""

    workspace_mb: int = 512
    """Most that a layer may use beside its tensors; on a Jetson it is taken from the computer's own memory."""
    optimization_level: int = 3
    """0 to 5, TensorRT's default is 3: higher searches longer for faster kernels."""

    def text(self) -> str:
        """As it stands in a plan's key."""
        return f"strongly-typed optimization-level={self.optimization_level} workspace-mb={self.workspace_mb}"
