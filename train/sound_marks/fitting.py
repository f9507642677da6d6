"""Fitting the detector of coughs and voices: stretches of examples, half of them with marks, and its own network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.coughs_and_voices.detector import FRAMES_AFTER, FRAMES_BEFORE, OFFSETS, Detector
from edge.coughs_and_voices.features import FEATURES
from train.sound_marks.examples import Example

Float32 = NDArray[np.float32]

UNITS = 40
DROPOUT = 0.1
STRETCH_FRAMES = 200
STRETCHES = 48
PEAK_LEARNING_RATE = 6e-3
WEIGHT_DECAY = 1e-2
SMOOTHING = 0.01
LEAST_SCALE = 1e-3


class Network(nn.Module):
    """What `edge.coughs_and_voices.detector` computes, to be fitted."""

    def __init__(self, mean: Float32, deviation: Float32) -> None:
        super().__init__()
        widths = [FEATURES] + [UNITS] * (len(OFFSETS) - 1)
        self.hidden = nn.ModuleList(
            nn.Linear(width * len(offsets), UNITS) for width, offsets in zip(widths, OFFSETS, strict=True)
        )
        self.last = nn.Linear(UNITS, 3)
        self.dropout = nn.Dropout(DROPOUT)
        self.mean, self.deviation = torch.from_numpy(mean), torch.from_numpy(deviation)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [batch, frames, 3] of features [batch, frames + before + after, FEATURES]."""
        seen = (features - self.mean) / self.deviation
        for offsets, layer in zip(OFFSETS, self.hidden, strict=True):
            before, count = -min(offsets), seen.shape[1] + min(offsets) - max(offsets)
            beside = [seen[:, before + offset : before + offset + count] for offset in offsets]
            seen = self.dropout(torch.relu(layer(torch.cat(beside, dim=-1))))
        logits: Tensor = self.last(seen)
        return logits


@dataclass(frozen=True)
class Padded:
    """An example with its first and last frame repeated, so that every frame has neighbours."""

    features: Tensor
    wanted: Tensor
    counts: Tensor


def fit(examples: Sequence[Example], steps: int, seed: int) -> Detector:
    """A detector fitted to examples; the same seed gives the same."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    some = np.concatenate([example.features[::7] for example in examples])
    network = Network(some.mean(axis=0), some.std(axis=0) + np.float32(LEAST_SCALE))
    long_enough = [example for example in examples if len(example.counts) >= STRETCH_FRAMES]
    with_marks = [_padded(example) for example in long_enough if example.wanted.any()]
    without = [_padded(example) for example in long_enough if not example.wanted.any()]
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        chosen = [_stretch((with_marks, without)[index % 2], rng) for index in range(STRETCHES)]
        features, wanted, counts = (torch.stack(parts) for parts in zip(*chosen, strict=True))
        loss = nn.functional.binary_cross_entropy_with_logits(
            network(features.float()), wanted * (1 - 2 * SMOOTHING) + SMOOTHING, reduction="none"
        )
        loss = (loss * counts[..., None]).sum() / counts.sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimiser.step()
        schedule.step()
    return _detector(network)


def write_detector(detector: Detector, path: Path) -> None:
    """As `edge.coughs_and_voices.detector` reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"mean": detector.mean, "scale": detector.scale}
    for index, (weights, biases) in enumerate(detector.layers):
        values |= {f"weights_{index}": weights, f"biases_{index}": biases}
    np.savez_compressed(path, allow_pickle=False, **values)


def _padded(example: Example) -> Padded:
    features = example.features.astype(np.float16)
    around = [np.repeat(features[:1], FRAMES_BEFORE, axis=0), features, np.repeat(features[-1:], FRAMES_AFTER, axis=0)]
    return Padded(
        torch.from_numpy(np.concatenate(around)),
        torch.from_numpy(example.wanted.astype(np.float32)),
        torch.from_numpy(example.counts.astype(np.float32)),
    )


def _stretch(examples: Sequence[Padded], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    example = examples[int(rng.integers(len(examples)))]
    start = int(rng.integers(len(example.counts) - STRETCH_FRAMES + 1))
    end = start + STRETCH_FRAMES
    features = example.features[start : end + FRAMES_BEFORE + FRAMES_AFTER]
    return features, example.wanted[start:end], example.counts[start:end]


def _detector(network: Network) -> Detector:
    layers = [*network.hidden, network.last]
    values = [(_array(layer.weight).T.copy(), _array(layer.bias)) for layer in layers]
    return Detector(_array(network.mean), np.float32(1) / _array(network.deviation), tuple(values))


def _array(value: object) -> Float32:
    if not isinstance(value, Tensor):
        raise TypeError(f"expected a tensor, found {type(value).__name__}")
    return np.asarray(value.detach().numpy(), np.float32)
