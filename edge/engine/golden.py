"""Golden inputs: images that a bundle carries with the probabilities that its networks gave where they were made.

An engine that was built or opened on another machine proves with them that it computes the same network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.engine.engine import Engine
from edge.errors import BundleError, EngineError

IMAGES = "images"
REFERENCE = "reference"
"""Names of arrays in `golden.npz`; the others are named for the ONNX files that gave them."""


@dataclass(frozen=True, eq=False)
class GoldenCases:
    """What one network of a bundle is to be asked, and what it has to answer."""

    images: NDArray[np.uint8]
    """[n, *image_shape]"""
    expected: NDArray[np.float32]
    """Probabilities [n, 4] of the same ONNX file in ONNX Runtime."""
    tolerance: float
    """Largest admissible difference of a probability."""


@dataclass(frozen=True)
class GoldenOutcome:
    """How an engine answered."""

    max_difference: float
    """Largest difference of a probability; infinite where an answer is no number."""
    tolerance: float
    changed_decisions: int
    images: int

    @property
    def agrees(self) -> bool:
        """Whether the engine may be used."""
        return self.max_difference <= self.tolerance


def load_golden(bundle: Bundle, file_name: str) -> GoldenCases:
    """The cases of the ONNX file `file_name` of `bundle`. Raises BundleError where there are none."""
    if bundle.golden is None or file_name not in bundle.golden.tolerance:
        raise BundleError(f"{bundle.folder}: carries no golden inputs for {file_name}; take a bundle packed with them")
    path = bundle.golden.path
    try:
        # Opened here, because NumPy leaves a file that it cannot read open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            images, expected = arrays[IMAGES], arrays[file_name]
    except Exception as error:  # of zipfile, zlib, tokenize and NumPy: a damaged header may raise anything
        raise BundleError(f"{path}: its golden inputs cannot be read ({error}); pack the bundle again") from error
    if images.dtype != np.uint8 or images.shape[1:] != bundle.spec.image_shape or len(images) == 0:
        raise BundleError(f"{path}: holds images {images.dtype} {list(images.shape)} of other features; pack it again")
    answers = (len(images), len(bundle.labels))
    if expected.dtype != np.float32 or expected.shape != answers or not np.isfinite(expected).all():
        raise BundleError(f"{path}: holds no probabilities of its {len(images)} images; pack the bundle again")
    return GoldenCases(images, expected, bundle.golden.tolerance[file_name])


def check_golden(engine: Engine, cases: GoldenCases) -> GoldenOutcome:
    """Ask `engine`. Raises EngineError where it fails."""
    found = engine.infer(cases.images)
    difference = np.abs(found - cases.expected)
    changed = int(np.count_nonzero(found.argmax(axis=1) != cases.expected.argmax(axis=1)))
    largest = float(difference.max()) if np.isfinite(difference).all() else float("inf")
    return GoldenOutcome(largest, cases.tolerance, changed, len(cases.images))


def prove_engine(engine: Engine, cases: GoldenCases, what: str) -> GoldenOutcome:
    """The same, but an engine that disagrees is an EngineError; `what` stands for it in the message."""
    outcome = check_golden(engine, cases)
    if not outcome.agrees:
        raise EngineError(
            f"{what}: refused, its probabilities of the bundle's {outcome.images} golden inputs differ by up to "
            f"{outcome.max_difference:.3f} from those of the same network in ONNX Runtime ({outcome.tolerance} is "
            f"allowed, {outcome.changed_decisions} decisions changed); use another engine and report it"
        )
    return outcome
