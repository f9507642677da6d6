"""The range of every tensor of a graph over calibration images, through ONNX Runtime's calibrators."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator

from export.staging import scratch_folder

Method = Literal["minmax", "percentile", "entropy"]
METHODS: dict[Method, CalibrationMethod] = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
_CHUNK = 32
"""Images whose intermediate tensors are held in memory at once."""


@dataclass(frozen=True)
class RangeRule:
    """How a range follows from the values seen."""

    method: Method = "entropy"
    """The least change of decisions and Score on validation patients, over both variants (docs/export.md)."""
    percentile: float = 99.99
    """Share of values, in percent, that a range keeps; for `percentile` alone."""

    def __post_init__(self) -> None:
        if self.method not in METHODS or not 50 < self.percentile <= 100:
            raise ValueError(
                f"method {self.method!r} must be one of {sorted(METHODS)}, percentile {self.percentile} in (50, 100]"
            )

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {"method": self.method, **({"percentile": self.percentile} if self.method == "percentile" else {})}


class ImageReader(CalibrationDataReader):  # type: ignore[misc]  # the base class has no annotations
    """Images one by one, as ONNX Runtime asks for them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input of the graph, or None at the end."""
        image = next(self._images, None)
        return None if image is None else {"image": image[np.newaxis]}


def measure_ranges(model: onnx.ModelProto, images: NDArray[np.uint8], rule: RangeRule) -> TensorsData:
    """Lowest and highest value to be represented, per tensor. `images` is uint8 [n, C, H, W]."""
    options = (
        {"symmetric": False, "percentile": rule.percentile} if rule.method == "percentile" else {"symmetric": False}
    )
    # The calibrators read and write files and print to stdout.
    with scratch_folder() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = folder / "fp32.onnx"
        onnx.save(model, path)
        calibrator = create_calibrator(
            path,
            augmented_model_path=str(folder / "augmented.onnx"),
            calibrate_method=METHODS[rule.method],
            extra_options=options,
        )
        for start in range(0, len(images), _CHUNK):
            calibrator.collect_data(ImageReader(images[start : start + _CHUNK]))
        return calibrator.compute_data()
