"""Calibration images with where they came from, as one `.npz` without pickles."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import CalibrationError
from export.staging import staged_file

MINIMUM_IMAGES = 64
"""Below this the ranges of rarely active channels are guesses."""
MINIMUM_RECORDINGS = 8
"""Windows of one recording look alike; a range must have seen several chests."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the ranges of a quantised graph are measured on."""

    images: NDArray[np.uint8]
    """[n, *spec.image_shape]"""
    fingerprint: str
    """Of the FeatureSpec that made the images."""
    recordings: tuple[str, ...]
    """Name of the recording of each image, `dataset/name`."""
    provenance: Mapping[str, Any]
    """Counts by dataset, device and class, the split, and the seed."""


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write `path`; the same calibration always gives the same bytes."""
    record = {
        "fingerprint": calibration.fingerprint,
        "recordings": list(calibration.recordings),
        "provenance": dict(calibration.provenance),
    }
    with staged_file(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, images=calibration.images, record=np.array(json.dumps(record, sort_keys=True)))


def load_calibration(path: Path) -> Calibration:
    """Read what `save_calibration` wrote. Raises CalibrationError."""
    try:
        # Opened here, because NumPy leaves a file that it cannot read open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            images, record = arrays["images"], json.loads(str(arrays["record"]))
        return Calibration(images, record["fingerprint"], tuple(record["recordings"]), record["provenance"])
    except FileNotFoundError:
        raise CalibrationError(
            f"{path}: no such file; make it from training recordings with export.calibrate, quantisation needs it"
        ) from None
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise CalibrationError(f"{path}: not a calibration file ({error}); make it with export.calibrate") from None


def check_sufficient(recordings: Sequence[str], source: Path) -> None:
    """Raises CalibrationError where `recordings`, the name behind each image, are too few or too much alike."""
    images, different = len(recordings), len(set(recordings))
    if images < MINIMUM_IMAGES or different < MINIMUM_RECORDINGS:
        raise CalibrationError(
            f"{source}: holds {images} images of {different} recordings; at least {MINIMUM_IMAGES} images of "
            f"{MINIMUM_RECORDINGS} recordings are needed, give export.calibrate more training recordings"
        )
