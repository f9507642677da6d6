"""What TensorRT says while it works: it reports failure by None or False, and the reason to its logger alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorrt as trt

KEPT = 5
"""Of a chain of errors the last few tell the story; the first of them is usually the cause."""


@dataclass(frozen=True)
class TensorRTLog:
    """A logger for TensorRT, and the errors it was given."""

    logger: trt.ILogger
    errors: deque[str]

    def reason(self, otherwise: str = "TensorRT gave no reason") -> str:
        """The errors so far in one line."""
        return " | ".join(self.errors) or otherwise


def open_log(echo: Callable[[str], None] | None = None) -> TensorRTLog:
    """A log whose errors are kept, and each of whose messages goes to `echo`. TensorRT may call it in any thread."""
    import tensorrt as trt

    errors: deque[str] = deque(maxlen=KEPT)

    class KeepingLogger(trt.ILogger):
        """Never raises: an exception cannot pass through TensorRT's C++."""

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            line = " ".join(msg.split())
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR) and line not in errors:
                errors.append(line)
            if echo is not None:
                echo(f"TensorRT {severity.name.lower()}: {line}")

    return TensorRTLog(KeepingLogger(), errors)
