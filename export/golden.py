"""Golden inputs for a bundle: images, and what its networks answered here, for engines elsewhere to match.

They show no patient: the images are of the simulated auscultation, and of grey levels no sound would make.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.audio.lung_sounds import CYCLE_S, simulate_cycle
from edge.engine.golden import IMAGES, REFERENCE
from edge.labels import LABELS
from edge.signal.conditioning import condition_recording
from edge.signal.image import image_from_window
from edge.signal.padding import repeat_to_length
from edge.signal.spec import FeatureSpec
from export.errors import GraphError
from export.inference import onnx_probabilities, open_session, torch_probabilities
from train.network import RespireNetwork

GOLDEN_NAME = "golden.npz"
CYCLES_PER_CLASS = 4
SAMPLE_RATE_HZ = 8000
"""Of the simulation, so that resampling has its part in the images."""
TOLERANCES = {"fp32": 0.001, "fp16": 0.01, "int8": 0.01}
"""Precision -> least admissible difference of a probability from the same file in ONNX Runtime.

Between what other arithmetic changes (no fusion, float16 itself: up to 0.005 on the released bundle) and what
a fault does (one layer's scale a fifth off, an image upside down or a column late);
tests/test_end_to_end/test_golden_margin.py measures both."""
MARGIN = 4
"""Where a network is so delicate that ONNX Runtime itself, computing it another way, differs by more than a quarter of
that, this many times its difference is admissible."""
LARGEST_TOLERANCE = 0.25
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a ZIP file can hold; the true one would make every file another."""


@dataclass(frozen=True)
class Golden:
    """What goes into a bundle."""

    content: bytes
    """Of `golden.npz`."""
    tolerance: Mapping[str, float]
    """ONNX file -> largest admissible difference of a probability."""


def golden_images(spec: FeatureSpec) -> NDArray[np.uint8]:
    """uint8 [n, *spec.image_shape]: each class of the simulation several times, noise, a ramp, black and white."""
    simulated = [_simulated(label, seed, spec) for label in LABELS for seed in range(CYCLES_PER_CLASS)]
    noise = np.random.default_rng(0).integers(0, 256, spec.image_shape, dtype=np.uint8)
    ramp = np.broadcast_to(np.linspace(0, 255, spec.image_shape[2]).astype(np.uint8), spec.image_shape)
    return np.stack([*simulated, noise, ramp, *(np.full(spec.image_shape, level, np.uint8) for level in (0, 255))])


def golden_arrays(network: RespireNetwork, graphs: Sequence[Path], spec: FeatureSpec) -> dict[str, NDArray[Any]]:
    """Images, the network's float32 probabilities, and those of each graph under its file name. Raises GraphError.

    Probabilities are those of this processor's kernels: another one may give other last digits.
    """
    images = golden_images(spec)
    arrays: dict[str, NDArray[Any]] = {IMAGES: images, REFERENCE: torch_probabilities(network, images)}
    return arrays | {path.name: onnx_probabilities(open_session(path, threads=1), images) for path in graphs}


def tolerances(graphs: Mapping[Path, str], arrays: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Largest admissible difference for each of `graphs`, a file and its precision; `arrays` are `golden_arrays`.

    Raises GraphError for a network so delicate that no engine could be proven by them.
    """
    return {path.name: _tolerance(path, precision, arrays) for path, precision in graphs.items()}


def _tolerance(path: Path, precision: str, arrays: Mapping[str, NDArray[Any]]) -> float:
    difference = _own_difference(path, arrays)
    if MARGIN * difference > LARGEST_TOLERANCE:
        raise GraphError(
            f"{path}: ONNX Runtime differs from itself by {difference:.3f} in probability when it computes otherwise, "
            "so no engine could be proven to agree; train longer or leave more layers in float"
        )
    return max(TOLERANCES[precision], _rounded_up(MARGIN * difference))


def _own_difference(path: Path, arrays: Mapping[str, NDArray[Any]]) -> float:
    images = np.asarray(arrays[IMAGES], np.uint8)
    others = (open_session(path, threads=1, optimised=False), open_session(path, threads=2))
    return float(max(np.abs(onnx_probabilities(other, images) - arrays[path.name]).max() for other in others))


def _rounded_up(difference: float) -> float:
    return math.ceil(difference * 1000) / 1000


def golden_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A `.npz` file; the same arrays always give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), content.getvalue(), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _simulated(label: str, seed: int, spec: FeatureSpec) -> NDArray[np.uint8]:
    rng = np.random.default_rng([seed, LABELS.index(label)])
    cycles = [simulate_cycle(label, SAMPLE_RATE_HZ, rng) for _ in range(round(np.ceil(spec.window_s / CYCLE_S)))]
    conditioned = condition_recording(np.concatenate(cycles), SAMPLE_RATE_HZ, spec)
    return image_from_window(repeat_to_length(conditioned, spec.window_samples), spec)
