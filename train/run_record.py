"""What a run folder and its checkpoints tell about how they came to be."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.checkpoint import load_checkpoint
from train.config import Config
from train.data import RunRecordings, patients
from train.run_folder import code_version


def run_record(config: Config, parts: Mapping[str, RunRecordings], init: Path | None) -> dict[str, Any]:
    """Plain JSON values: recipe, seed, code and library versions, features, data and the patients of each side."""
    return {
        "recipe": config.recipe,
        "seed": config.seed,
        "code": code_version(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "feature_fingerprint": config.spec.fingerprint(),
        "data": {name: _data_record(part) for name, part in parts.items()},
        "patients": _all_patients(parts, init),
    }


def _data_record(part: RunRecordings) -> dict[str, Any]:
    sides = {"training": part.training, "validation": part.validation, "test": part.test}
    return {
        "extent": part.extent,
        "coverage": part.coverage,
        "recordings": {side: len(recordings) for side, recordings in sides.items()},
        "cycles": {side: sum(len(recording.annotations) for recording in found) for side, found in sides.items()},
    }


def _all_patients(parts: Mapping[str, RunRecordings], init: Path | None) -> dict[str, Any]:
    """Patients per dataset and side; those that an initial checkpoint learnt from count as trained on."""
    earlier = load_checkpoint(init).training_run.get("patients", {}) if init else {}
    sides = {
        name: {
            "training": patients(part.training),
            "validation": patients(part.validation),
            "test": patients(part.test),
        }
        for name, part in parts.items()
    }
    for name, found in earlier.items():
        here = sides.setdefault(name, {"training": [], "validation": found["validation"], "test": found["test"]})
        here["training"] = sorted({*here["training"], *found["training"]})
    return sides
