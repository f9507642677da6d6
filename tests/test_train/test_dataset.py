"""Training samples and evaluation windows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from edge.signal.image import image_from_window
from edge.signal.padding import repeat_to_length
from edge.signal.spec import COMPACT
from train.config import AugmentationConfig
from train.cycles import Cycle, load_cycles
from train.dataset import TrainingImages, evaluation_images, grey_level_statistics
from train.icbhi import read_icbhi
from train.recipes import smoke
from train.sampling import Draw, draw_epoch


@pytest.fixture(scope="module")
def cycles(icbhi_folder: Path) -> list[Cycle]:
    return load_cycles(read_icbhi(icbhi_folder), COMPACT)


def draws(count: int, epoch: int = 0) -> list[Draw]:
    return draw_epoch(np.full(32, 1 / 32), count, run_seed=5, epoch=epoch)


def test_a_sample_is_an_image_and_its_label(cycles: list[Cycle]) -> None:
    image, label = TrainingImages(cycles, COMPACT, smoke().augmentation)[Draw(6, (0, 0, 0))]
    assert image.shape == COMPACT.image_shape
    assert image.dtype == np.uint8
    assert label == cycles[6].label


def test_without_augmentation_a_short_cycle_is_what_the_device_sees(cycles: list[Cycle]) -> None:
    plain = TrainingImages(cycles, COMPACT, AugmentationConfig(smart_padding=0.0))
    window = repeat_to_length(cycles[3].samples, COMPACT.window_samples)
    np.testing.assert_array_equal(plain[Draw(3, (0, 0, 0))][0], image_from_window(window, COMPACT))


def test_concatenation_joins_cycles_of_the_same_class(make_cycle: Callable[..., Cycle]) -> None:
    # Two tones are two classes: what is joined never holds the other's.
    time_s = np.arange(8000) / 4000
    low, high = (np.sin(2 * np.pi * hz * time_s).astype(np.float32) for hz in (200, 1200))
    cycles = [make_cycle(low, label=1, index=0), make_cycle(high, label=2, index=1)]
    joined = TrainingImages(cycles, COMPACT, AugmentationConfig(concatenation=1.0))
    alone = TrainingImages(cycles[:1], COMPACT, AugmentationConfig(smart_padding=0.0))
    expected = alone[Draw(0, (0, 0, 0))][0].mean(axis=2)
    for position in range(5):
        np.testing.assert_allclose(joined[Draw(0, (0, 0, position))][0].mean(axis=2), expected, atol=3)


def test_the_same_draw_gives_the_same_image_and_another_draw_another(cycles: list[Cycle]) -> None:
    images = TrainingImages(cycles, COMPACT, smoke().augmentation)
    np.testing.assert_array_equal(images[Draw(2, (1, 2, 3))][0], images[Draw(2, (1, 2, 3))][0])
    assert not np.array_equal(images[Draw(2, (1, 2, 3))][0], images[Draw(2, (1, 2, 4))][0])


def test_batches_do_not_depend_on_the_number_of_workers(cycles: list[Cycle]) -> None:
    images = TrainingImages(cycles, COMPACT, smoke().augmentation)
    alone, helped = (
        [batch.numpy() for batch, _ in DataLoader(images, batch_size=4, sampler=draws(8), num_workers=workers)]
        for workers in (0, 1)
    )
    np.testing.assert_array_equal(np.stack(alone), np.stack(helped))


def test_evaluation_takes_no_random_numbers(cycles: list[Cycle]) -> None:
    before = str(np.random.get_state(legacy=False))  # noqa: NPY002 - the state that hidden randomness would move
    first, second = evaluation_images(cycles[:4], COMPACT), evaluation_images(cycles[:4], COMPACT)
    np.testing.assert_array_equal(first.images, second.images)
    assert str(np.random.get_state(legacy=False)) == before  # noqa: NPY002


def test_long_cycles_become_several_windows_of_one_cycle(make_cycle: Callable[..., Cycle]) -> None:
    rng = np.random.default_rng(0)
    lengths = (4000, 40000, 28000)
    cycles = [make_cycle(rng.standard_normal(length, dtype=np.float32)) for length in lengths]
    assert evaluation_images(cycles, COMPACT).cycle_of_image.tolist() == [0, 1, 1, 2]


def test_no_cycles_make_no_images() -> None:
    assert evaluation_images([], COMPACT).images.shape == (0, *COMPACT.image_shape)


def test_statistics_are_those_of_unaugmented_images(cycles: list[Cycle]) -> None:
    mean, std = grey_level_statistics(cycles, COMPACT, np.random.default_rng(0))
    images = evaluation_images(cycles, COMPACT).images
    assert mean.shape == std.shape == (1,)
    assert mean[0] == pytest.approx(images.mean(), abs=1e-3)
    assert std[0] == pytest.approx(images.std(), abs=1e-3)
