"""A whole training run as one frozen record; recipes fill it, the run folder keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.labels import LABELS
from edge.signal.spec import FeatureSpec
from train.network import NetworkConfig


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """One dataset of a run and which of its patients are trained on."""

    name: str
    """A key of `train.data.READERS`."""
    share: float = 1.0
    """Weight of this dataset among the samples drawn; 1 and 1 is half and half."""
    split: str = "all"
    """The training side, by one of the names in `train.splits`."""
    validation_share: float = 0.2
    """Share of the training side's patients held back for selecting the epoch."""

    def __post_init__(self) -> None:
        if self.share <= 0 or not 0 <= self.validation_share < 1:
            raise ValueError(f"share {self.share} must be > 0 and validation_share {self.validation_share} in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """What is done to training sound and images; evaluation knows none of it."""

    smart_padding: float = 1.0
    """Share of samples padded by the paper's rule; the others by repetition, as on the device."""
    concatenation: float = 0.0
    """Share of samples that are two cycles of one class joined (paper, section 2.1)."""
    speed: float = 0.0
    """Playing speed is drawn from 1 - speed to 1 + speed."""
    shift: bool = False
    """Whether the window starts anywhere in the padded sound, which is wrapped around."""
    noise_share: float = 0.0
    """Share of samples that get coloured noise."""
    noise_snr_db: tuple[float, float] = (10.0, 40.0)
    join_gain_db: float = 0.0
    """Loudness of a joined cycle against the first, drawn from -gain to +gain. Alone, loudness cannot reach the image,
    whose brightness is relative to its loudest point."""
    device_gain_db: float = 0.0
    """Standard deviation of a smooth random frequency response, a stethoscope that was never met."""
    mask_share: float = 0.0
    """Share of samples with one band of mel rows and one stretch of frames painted over."""
    mask_rows: int = 8
    mask_frames: int = 24


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How weights move."""

    name: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["fixed", "cosine"] = "fixed"
    warmup_share: float = 0.0
    """Share of all steps over which the rate rises from 0."""
    label_smoothing: float = 0.0
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the forward pass while training; bfloat16 needs no loss scaling. On a CPU without AMX, half-width networks run
    faster in float32 (9.8 against 11.8 ms a sample, batches of 64, two cores)."""
    average_decay: float = 0.0
    """Decay per step of an exponential moving average of the weights, which is what is evaluated and kept; 0: none."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what a run learns, except the folders and the seed's value on the command line."""

    recipe: str
    spec: FeatureSpec
    datasets: tuple[DatasetConfig, ...]
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    class_shares: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    """How often each class is drawn; the paper's sampler is uniform."""
    initialisation: Literal["scratch", "imagenet", "checkpoint"] = "scratch"
    epochs: int = 200
    samples_per_epoch: int = 0
    """0: as many as there are training cycles."""
    batch_size: int = 64
    seed: int = 0
    workers: int = 1
    """Processes that make images beside the one that trains; 0: none."""

    def __post_init__(self) -> None:
        if len(self.class_shares) != len(LABELS) or min(self.class_shares) < 0 or not any(self.class_shares):
            raise ValueError(f"class_shares {self.class_shares} must be {len(LABELS)} shares, not all 0")
        if not self.datasets or len({dataset.name for dataset in self.datasets}) < len(self.datasets):
            raise ValueError("a run needs one or more different datasets")
        if self.epochs < 1 or self.batch_size < 2 or self.samples_per_epoch < 0:
            raise ValueError("epochs must be >= 1, batch_size >= 2 (batch normalisation), samples_per_epoch >= 0")
        if self.network.in_channels != self.spec.image_shape[0]:
            raise ValueError(f"{self.spec.name} images have {self.spec.image_shape[0]} channels, not the network's")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        fields: dict[str, Any] = dataclasses.asdict(self)
        return fields


def config_from_dict(fields: Mapping[str, Any]) -> Config:
    """The inverse of `Config.to_dict`, from JSON. Raises ValueError or TypeError for unknown or impossible fields."""
    augmentation = dict(fields["augmentation"])
    augmentation["noise_snr_db"] = tuple(augmentation["noise_snr_db"])
    nested = {
        "spec": FeatureSpec.from_dict(fields["spec"]),
        "datasets": tuple(DatasetConfig(**dataset) for dataset in fields["datasets"]),
        "network": NetworkConfig(**fields["network"]),
        "augmentation": AugmentationConfig(**augmentation),
        "optimiser": OptimiserConfig(**fields["optimiser"]),
        "class_shares": tuple(fields["class_shares"]),
    }
    return Config(**{**fields, **nested})
