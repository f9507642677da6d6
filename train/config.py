"""A whole training run as one frozen record; recipes fill it, the run folder keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from edge.signal.spec import FeatureSpec
from train.concatenation import Pairs
from train.network import NetworkConfig
from train.padding import Padding
from train.task import TASK_LABELS, Task

Protocol = Literal["patientwise", "published"]
"""How the epoch is selected: on patients held back inside the training side or, as the field does, on the test side."""


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
    device: str = ""
    """Train and select on this stethoscope's recordings alone, by its token in ICBHI's file names; empty: on all."""

    def __post_init__(self) -> None:
        if self.share <= 0 or not 0 <= self.validation_share < 1:
            raise ValueError(f"share {self.share} must be > 0 and validation_share {self.validation_share} in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """What is done to training sound and images; evaluation knows none of it.

    A share is of all samples, each technique drawn for itself; by default all but padding are off. The authors' code
    calls nlpaug for half of its samples, one technique for each: a share of 0.1 for each of five.
    """

    padding: Padding = "smart"
    """How a window is filled: `smart` by the paper's rule (section 2); `zero` and `reflection`, which it is compared
    with; `repetition`, as on the device. Joined cycles have no neighbours: where others are smart, these repeat."""
    padding_share: float = 1.0
    """Share of samples padded so; the others by repetition."""
    concatenation: float = 0.0
    """Share of samples that are two cycles joined (paper, section 2.1)."""
    concatenation_pairs: Pairs = "same_class"
    """`same_class`: two of the sample's class, as in the paper; `released`: the mixed pairs of the authors' code."""
    join_gain_db: float = 0.0
    """Loudness of the second cycle joined against the first, drawn from -gain to +gain."""
    speed: float = 0.0
    """Playing speed is drawn from 1 - speed to 1 + speed; pitch goes with it (paper, "speed variation")."""
    pitch_share: float = 0.0
    """Share of samples with all frequencies moved, duration kept (paper, "pitch shift")."""
    pitch_semitones: tuple[float, float] = (-1.0, 3.0)
    """The authors' `PitchAug(factor=(-1, 3))`."""
    vtlp_share: float = 0.0
    """Share of samples with vocal tract length perturbed: low frequencies moved, the highest kept (Jaitly and Hinton,
    2013; the authors' `VtlpAug`)."""
    vtlp_factor: tuple[float, float] = (0.9, 1.1)
    """What low frequencies are multiplied by: Jaitly and Hinton's range, and nlpaug's."""
    loudness_share: float = 0.0
    """Share of samples with one stretch louder or softer than the rest (the authors' `LoudnessAug`)."""
    loudness_gain_db: tuple[float, float] = (-6.0, 6.0)
    """Gain of the stretch; the authors' `factor=(0.5, 2)`."""
    shift: bool = False
    """Whether the window starts anywhere in the padded sound, which is wrapped around (paper, "random shifting")."""
    noise_share: float = 0.0
    """Share of samples that get noise between white and pink (paper, "noise addition")."""
    noise_snr_db: tuple[float, float] = (10.0, 40.0)
    """Signal-to-noise ratio; the authors' `NoiseAug` adds white noise of one level, whatever the sound's."""
    disturbance_share: float = 0.0
    """Share of samples with coughs, voices or crying of the training recordings laid into them."""
    disturbance_db: tuple[float, float] = (-10.0, 10.0)
    """How much louder each of them is than the breath."""
    device_gain_db: float = 0.0
    """Standard deviation of a smooth random frequency response, a stethoscope that was never met."""
    mask_share: float = 0.0
    """Share of samples with one band of mel rows and one stretch of frames painted over."""
    mask_rows: int = 8
    mask_frames: int = 24

    def __post_init__(self) -> None:
        if self.padding not in get_args(Padding) or self.concatenation_pairs not in get_args(Pairs):
            raise ValueError(
                f"padding {self.padding!r} must be one of {', '.join(get_args(Padding))}, "
                f"concatenation_pairs {self.concatenation_pairs!r} one of {', '.join(get_args(Pairs))}"
            )
        for name, value in vars(self).items():
            if (name.endswith("_share") or name == "concatenation") and not 0 <= value <= 1:
                raise ValueError(f"augmentation {name} {value} must lie in [0, 1]")
            if isinstance(value, tuple) and (len(value) != 2 or value[0] > value[1]):
                raise ValueError(f"augmentation {name} {value} must be a lower and an upper bound")
        if not 0 <= self.speed < 1 or self.vtlp_factor[0] <= 0:
            raise ValueError(f"speed {self.speed} must lie in [0, 1), vtlp_factor {self.vtlp_factor} above 0")


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
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Of the forward pass while training; float16, with loss scaling, is for GPUs older than bfloat16. On a CPU without
    AMX, half-width networks run faster in float32 (9.8 against 11.8 ms a sample, batches of 64, two cores)."""
    average_decay: float = 0.0
    """Decay per step of an exponential moving average of the weights, which is what is evaluated and kept; 0: none."""

    def __post_init__(self) -> None:
        _check_choices(self)


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig:
    """Stage 2: the common model trained further for one stethoscope. Defaults: the paper, "Implementation Details"."""

    learning_rate: float = 1e-4
    epochs: int = 50
    samples_per_epoch: int = 0
    """0: as many as the device has training cycles."""
    other_datasets: bool = False
    """Whether the recipe's other datasets stay beside the device's recordings, against forgetting."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what a run learns, except the folders and the seed's value on the command line."""

    recipe: str
    spec: FeatureSpec
    task: Task = "four_class"
    protocol: Protocol = "patientwise"
    """`published`: the epoch with the highest Score on the test side is kept, and the test windows are padded by the
    paper's rule, which reads their labels. Both leak; the figures say so."""
    datasets: tuple[DatasetConfig, ...]
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    fine_tuning: FineTuningConfig = field(default_factory=FineTuningConfig)
    class_shares: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    """How often each class is drawn; the paper's sampler is uniform."""
    initialisation: Literal["scratch", "imagenet", "audioset", "checkpoint"] = "scratch"
    epochs: int = 200
    samples_per_epoch: int = 0
    """0: as many as there are training cycles."""
    batch_size: int = 64
    seed: int = 0
    features: Literal["numpy", "torch"] = "numpy"
    """What makes the training images: `edge.signal` in other processes, or its twin on the accelerator, which may
    differ by a grey level; evaluation always takes the first."""
    workers: int = -1
    """Processes that make samples beside each one that trains; 0: none, -1: one for each core but one, at most 16."""

    def __post_init__(self) -> None:
        _check_choices(self)
        classes = len(TASK_LABELS[self.task])
        if len(self.class_shares) != classes or min(self.class_shares) < 0 or not any(self.class_shares):
            raise ValueError(f"class_shares {self.class_shares} must be {classes} shares, not all 0")
        if self.network.classes != classes:
            raise ValueError(f"network.classes is {self.network.classes}, the task {self.task} has {classes}")
        if not self.datasets or len({dataset.name for dataset in self.datasets}) < len(self.datasets):
            raise ValueError("a run needs one or more different datasets")
        if self.epochs < 1 or self.batch_size < 2 or self.samples_per_epoch < 0:
            raise ValueError("epochs must be >= 1, batch_size >= 2 (batch normalisation), samples_per_epoch >= 0")
        if self.workers < -1:
            raise ValueError(f"workers {self.workers} must be >= 0, or -1 for as many as the cores allow")
        if self.features == "torch" and self.spec.layout == "log_mel":
            raise ValueError("features 'torch' has no twin of the layout log_mel yet; take 'numpy'")
        if self.network.in_channels != self.spec.image_shape[0]:
            raise ValueError(f"{self.spec.name} images have {self.spec.image_shape[0]} channels, not the network's")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        fields: dict[str, Any] = dataclasses.asdict(self)
        return fields


def _check_choices(config: object) -> None:
    for name, kind in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if get_origin(kind) is Literal and value not in get_args(kind):
            raise ValueError(f"{name} {value!r} must be one of {', '.join(get_args(kind))}")


def config_from_dict(fields: Mapping[str, Any]) -> Config:
    """The inverse of `Config.to_dict`, from JSON. Raises ValueError or TypeError for unknown or impossible fields."""
    augmentation: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields["augmentation"].items()
    }
    nested = {
        "spec": FeatureSpec.from_dict(fields["spec"]),
        "datasets": tuple(DatasetConfig(**dataset) for dataset in fields["datasets"]),
        "network": NetworkConfig(**fields["network"]),
        "augmentation": AugmentationConfig(**augmentation),
        "optimiser": OptimiserConfig(**fields["optimiser"]),
        "fine_tuning": FineTuningConfig(**fields["fine_tuning"]),
        "class_shares": tuple(fields["class_shares"]),
    }
    return Config(**{**fields, **nested})
