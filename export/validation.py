"""Images of the patients whom a training run held back: what a change of precision is judged on.

The run's epoch was selected on them, so they say what a change costs rather than how good the model is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.signal.spec import FeatureSpec
from train.cycles import load_cycles
from train.data import READERS, extent, patients
from train.dataset import EvaluationImages, evaluation_images
from train.errors import SplitError

SIDE = "validation"


@dataclass(frozen=True, eq=False)
class Validation:
    """Per dataset that has any."""

    images: Mapping[str, EvaluationImages]
    described: Mapping[str, Mapping[str, Any]]
    """Extent, and numbers of recordings, patients and cycles."""


def validation_images(training_run: Mapping[str, Any], spec: FeatureSpec, folders: Mapping[str, Path]) -> Validation:
    """Images of all annotated cycles of those patients in `folders`. Raises DatasetError, SplitError."""
    held, described = {}, {}
    for name, folder in folders.items():
        recordings = READERS[name](folder)
        kept = set(training_run["patients"][name][SIDE])
        chosen = [found for found in recordings if found.patient in kept and found.annotations]
        if not chosen:
            continue
        cycles = load_cycles(chosen, spec, progress=True)
        held[name] = evaluation_images(cycles, spec)
        described[name] = {
            "extent": extent(name, recordings),
            "side": SIDE,
            "recordings": len(chosen),
            "patients": len(patients(chosen)),
            "cycles": len(cycles),
        }
    if not held:
        raise SplitError(
            "none of the checkpoint's validation patients is in the --data folders; give the folders it was trained on"
        )
    return Validation(held, described)
