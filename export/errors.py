"""What can go wrong on the way from a checkpoint to a bundle; every message says what, where and what to do.

ExportError
├── GraphError          an ONNX file that cannot be read, or whose graph or metadata is not this project's
├── CalibrationError    calibration images that are missing, too few, or made for other features
├── ParityError         an exported graph that does not compute what the checkpoint computes
├── OperatingPointError  answers that no threshold can be chosen from
└── PackError           a bundle that cannot be put together or written
"""

from __future__ import annotations


class ExportError(Exception):
    """Base of everything that a user of `export` can cause and mend; shown as one line, without a traceback."""


class GraphError(ExportError):
    """An ONNX file cannot be read, or its graph or metadata is not this project's."""


class CalibrationError(ExportError):
    """Calibration images are missing, too few, or made for other features."""


class ParityError(ExportError):
    """An exported graph does not compute what the checkpoint computes."""


class OperatingPointError(ExportError):
    """No threshold can be chosen from the answers."""


class PackError(ExportError):
    """A bundle cannot be put together or written."""
