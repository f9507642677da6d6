"""From the features of frames to how likely each of them is in a cough, in a voice and at a cough's beginning.

A small network with shared weights: each layer sees some frames of the layer below, before and after its own (a time
delay neural network; Waibel et al., IEEE Trans ASSP 37, 1989). `python -m train.sound_marks.fit` makes the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("weights.npz")
OFFSETS = ((0,), (-2, 0, 2), (-5, 0, 3), (-13, 0, 5))
"""Of the frames that each layer sees, counted from its own."""
FRAMES_BEFORE = -sum(min(offsets) for offsets in OFFSETS)
FRAMES_AFTER = sum(max(offsets) for offsets in OFFSETS)
"""How many frames around a frame decide about it."""
COUGH, VOICE, ONSET = range(3)
"""Columns of the answer."""


@dataclass(frozen=True)
class Detector:
    """The network's values."""

    mean: Float32
    scale: Float32
    """float32 [FEATURES] both: features are taken less the one and times the other."""
    layers: tuple[tuple[Float32, Float32], ...]
    """Weights, float32 [inputs, units], and biases, of each layer of `OFFSETS` and of the last."""


def likelihoods(features: Float32, detector: Detector) -> Float32:
    """float32 [k, 3], from 0 to 1, of k frames from the features of k + `FRAMES_BEFORE` + `FRAMES_AFTER`."""
    seen = (features - detector.mean) * detector.scale
    for offsets, (weights, biases) in zip(OFFSETS, detector.layers[:-1], strict=True):
        before, count = -min(offsets), len(seen) + min(offsets) - max(offsets)
        beside = np.hstack([seen[before + offset : before + offset + count] for offset in offsets])
        seen = np.maximum(beside @ weights + biases, np.float32(0))
    weights, biases = detector.layers[-1]
    return np.asarray(1 / (1 + np.exp(-(seen @ weights + biases))), np.float32)


@lru_cache(maxsize=1)
def load_detector() -> Detector:
    """The one that comes with the program."""
    return read_detector(WEIGHTS)


def read_detector(path: Path) -> Detector:
    """The one in a file."""
    with np.load(path) as values:
        count = len(OFFSETS) + 1
        layers = tuple((values[f"weights_{index}"], values[f"biases_{index}"]) for index in range(count))
        return Detector(values["mean"], values["scale"], layers)
