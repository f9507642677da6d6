"""Whole training configurations; variants say only what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from edge.signal.spec import AUDIOSET, COMPACT, RESPIRENET
from train.config import AugmentationConfig, Config, DatasetConfig, FineTuningConfig, OptimiserConfig
from train.errors import ConfigError
from train.network import NetworkConfig
from train.task import TASK_LABELS, Task


def respirenet() -> Config:
    """The paper's common model (stage 1): ImageNet weights, SGD at a fixed 1e-3, 200 epochs, official split."""
    return Config(
        recipe="respirenet",
        spec=RESPIRENET,
        datasets=(DatasetConfig(name="icbhi", split="official"),),
        network=NetworkConfig(depth=34, width=1.0, in_channels=3),
        augmentation=AugmentationConfig(
            concatenation=0.5,
            speed=0.1,
            pitch_share=0.25,
            vtlp_share=0.25,
            loudness_share=0.25,
            shift=True,
            noise_share=0.25,
        ),
        optimiser=OptimiserConfig(name="sgd", learning_rate=1e-3, momentum=0.9, schedule="fixed"),
        initialisation="imagenet",
        epochs=200,
        batch_size=64,
    )


def compact() -> Config:
    """The paper's training on one-channel images a ninth as large."""
    return replace(respirenet(), recipe="compact", spec=COMPACT, network=NetworkConfig(depth=34, in_channels=1))


def compact_half() -> Config:
    """`compact` with half the feature maps, from scratch: no ImageNet weights have that width."""
    network = NetworkConfig(depth=34, width=0.5, in_channels=1)
    return replace(compact(), recipe="compact_half", network=network, initialisation="scratch")


def pretrain_sprsound() -> Config:
    """SPRSound in place of ImageNet, on the network that is released: 18 layers at half width with centred rows.

    It did as well on held-back children as 34 layers, better on people of ICBHI, and costs 40 % (docs/results.md).
    A random frequency response per sample stands for other stethoscopes.
    """
    return replace(
        compact_half(),
        recipe="pretrain_sprsound",
        datasets=(DatasetConfig(name="sprsound", split="train", validation_share=0.15),),
        network=NetworkConfig(depth=18, width=0.5, in_channels=1, dropout=0.3, centre_rows=True),
        augmentation=AugmentationConfig(
            padding_share=0.5,
            concatenation=0.3,
            speed=0.1,
            shift=True,
            noise_share=0.3,
            join_gain_db=6.0,
            device_gain_db=4.0,
            mask_share=0.5,
        ),
        optimiser=OptimiserConfig(
            name="adamw",
            learning_rate=1e-3,
            weight_decay=0.05,
            schedule="cosine",
            warmup_share=0.05,
            label_smoothing=0.05,
            precision="float32",
            average_decay=0.99,
        ),
        class_shares=(0.42, 0.28, 0.25, 0.05),
        epochs=12,
        samples_per_epoch=5000,
    )


def joint() -> Config:
    """SPRSound and ICBHI half and half from a pre-trained checkpoint, slowly, so that neither set is forgotten.

    One epoch: the second learns ICBHI's few patients by heart. Stage 2 keeps SPRSound beside the device's recordings,
    without which it forgets (docs/results.md).
    """
    pretraining = pretrain_sprsound()
    return replace(
        pretraining,
        recipe="joint",
        datasets=(
            DatasetConfig(name="icbhi", split="all", validation_share=0.2),
            DatasetConfig(name="sprsound", split="train", validation_share=0.15),
        ),
        optimiser=replace(pretraining.optimiser, learning_rate=3e-4),
        class_shares=(0.45, 0.25, 0.2, 0.1),
        fine_tuning=FineTuningConfig(learning_rate=1e-4, epochs=1, samples_per_epoch=2000, other_datasets=True),
        initialisation="checkpoint",
        epochs=1,
        samples_per_epoch=3000,
    )


def audioset() -> Config:
    """What is released: a network that AudioSet taught goes on with ICBHI, SPRSound beside it (docs/results.md).

    Three answers instead of four classes. SPRSound stays to the end, or its children are forgotten.
    """
    earlier = joint()
    icbhi, sprsound = earlier.datasets
    return replace(
        earlier,
        recipe="audioset",
        spec=AUDIOSET,
        datasets=(replace(icbhi, share=2.0), sprsound),
        network=NetworkConfig(backbone="mn04", answers="signs", in_channels=1, dropout=0.3),
        augmentation=replace(earlier.augmentation, mask_rows=6, mask_frames=50, disturbance_share=0.3),
        initialisation="audioset",
        epochs=4,
        samples_per_epoch=6400,
    )


def smoke() -> Config:
    """Two steps of a tiny network, to see that everything runs."""
    return replace(
        compact_half(),
        recipe="smoke",
        datasets=(DatasetConfig(name="icbhi", split="all", validation_share=0.5),),
        network=NetworkConfig(depth=18, width=0.125, in_channels=1),
        augmentation=AugmentationConfig(
            padding_share=0.5,
            concatenation=0.5,
            speed=0.1,
            shift=True,
            noise_share=0.5,
            device_gain_db=3.0,
            mask_share=0.5,
        ),
        epochs=1,
        samples_per_epoch=8,
        batch_size=4,
        workers=0,
    )


def fine_tuning(common: Config, device: str) -> Config:
    """Stage 2: from the common model's best checkpoint, on one stethoscope's recordings of the first dataset."""
    stage, (first, *others) = common.fine_tuning, common.datasets
    return replace(
        common,
        recipe=f"{common.recipe}_device",
        datasets=(replace(first, device=device), *(others if stage.other_datasets else ())),
        optimiser=replace(common.optimiser, learning_rate=stage.learning_rate),
        initialisation="checkpoint",
        epochs=stage.epochs,
        samples_per_epoch=stage.samples_per_epoch,
    )


def for_task(config: Config, task: Task) -> Config:
    """The same training for another task; classes are drawn equally often, as the paper's sampler does."""
    if task == config.task:
        return config
    classes = len(TASK_LABELS[task])
    network = replace(config.network, classes=classes)
    return replace(config, task=task, network=network, class_shares=(1 / classes,) * classes)


RECIPES: Final[Mapping[str, Callable[[], Config]]] = {
    function.__name__: function
    for function in (respirenet, compact, compact_half, pretrain_sprsound, joint, audioset, smoke)
}


def recipe_named(name: str) -> Config:
    """Raises ConfigError with the known names."""
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; known are {', '.join(RECIPES)}")
    return RECIPES[name]()
