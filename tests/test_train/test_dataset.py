"""Training samples and evaluation windows."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from edge.signal.image import image_from_window
from edge.signal.padding import repeat_to_length
from edge.signal.spec import COMPACT, RESPIRENET, FeatureSpec
from train import augmentation
from train.config import AugmentationConfig
from train.cycles import Cycle, load_cycles
from train.dataset import TrainingImages, TrainingWindows, evaluation_images, grey_level_statistics
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
    plain = TrainingImages(cycles, COMPACT, AugmentationConfig(padding_share=0.0))
    window = repeat_to_length(cycles[3].samples, COMPACT.window_samples)
    np.testing.assert_array_equal(plain[Draw(3, (0, 0, 0))][0], image_from_window(window, COMPACT))


EVERYTHING = dataclasses.replace(
    smoke().augmentation,
    concatenation_pairs="released",
    pitch_share=0.5,
    vtlp_share=0.5,
    loudness_share=0.5,
)


@pytest.mark.parametrize("spec", [COMPACT, RESPIRENET])
def test_images_are_those_of_the_windows_with_their_masks(cycles: list[Cycle], spec: FeatureSpec) -> None:
    windows, images = TrainingWindows(cycles, spec, EVERYTHING), TrainingImages(cycles, spec, EVERYTHING)
    masked = 0
    for draw in draws(12):
        window, rectangle, label = windows[draw]
        image = image_from_window(window, spec)
        masked += bool(rectangle.any())
        assert window.shape == (spec.window_samples,)
        assert [str(array.dtype) for array in (window, rectangle)] == ["float32", "int64"]
        assert label == images[draw][1] == cycles[draw.cycle].label
        np.testing.assert_array_equal(images[draw][0], augmentation.mask(image, rectangle))
    assert 0 < masked < 12


def test_windows_travel_in_batches(cycles: list[Cycle]) -> None:
    windows = TrainingWindows(cycles, COMPACT, EVERYTHING)
    sound, rectangles, labels = next(iter(DataLoader(windows, batch_size=4, sampler=draws(4))))
    assert (tuple(sound.shape), tuple(rectangles.shape)) == ((4, COMPACT.window_samples), (4, 4))
    assert labels.tolist() == [cycles[draw.cycle].label for draw in draws(4)]


@pytest.mark.parametrize(
    "option",
    [
        {"pitch_share": 1.0},
        {"vtlp_share": 1.0},
        {"loudness_share": 1.0},
        {"padding": "zero"},
        {"padding": "reflection"},
        {"concatenation": 1.0},
        {"speed": 0.1},
        {"shift": True},
        {"noise_share": 1.0},
        {"device_gain_db": 3.0},
    ],
)
def test_each_option_changes_the_window_and_keeps_its_length_and_the_cycle(
    cycles: list[Cycle], option: dict[str, object]
) -> None:
    before = cycles[3].samples.copy()
    repeated = AugmentationConfig(padding="repetition")
    plain, changed = (
        TrainingWindows(cycles, COMPACT, config)[Draw(3, (0, 0, 0))][0]
        for config in (repeated, dataclasses.replace(repeated, **option))  # type: ignore[arg-type]
    )
    assert changed.shape == (COMPACT.window_samples,)
    assert changed.dtype == np.float32
    assert not np.array_equal(plain, changed)
    np.testing.assert_array_equal(cycles[3].samples, before)


def test_what_is_off_draws_no_number(cycles: list[Cycle]) -> None:
    # Ranges of techniques that are off must not move the samples of a recipe.
    other_ranges = dataclasses.replace(smoke().augmentation, pitch_semitones=(0.0, 9.0), vtlp_factor=(0.5, 2.0))
    for draw in draws(4):
        np.testing.assert_array_equal(
            TrainingWindows(cycles, COMPACT, smoke().augmentation)[draw][0],
            TrainingWindows(cycles, COMPACT, other_ranges)[draw][0],
        )


def test_joined_cycles_are_followed_by_silence_where_padding_is_zero(make_cycle: Callable[..., Cycle]) -> None:
    windows = TrainingWindows([make_cycle()], COMPACT, AugmentationConfig(padding="zero", concatenation=1.0))
    window, _, _ = windows[Draw(0, (0, 0, 0))]
    assert window[:8000].all()
    assert not window[8000:].any()


@pytest.mark.parametrize(
    "fields",
    [
        {"padding": "mirror"},
        {"concatenation_pairs": "any"},
        {"pitch_share": 1.5},
        {"noise_snr_db": (40.0, 10.0)},
        {"vtlp_factor": (0.0, 1.0)},
        {"speed": 1.0},
    ],
)
def test_an_impossible_augmentation_is_refused_by_name(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        AugmentationConfig(**fields)  # type: ignore[arg-type]


def test_concatenation_joins_cycles_of_the_same_class(make_cycle: Callable[..., Cycle]) -> None:
    # Two tones are two classes: what is joined never holds the other's.
    time_s = np.arange(8000) / 4000
    low, high = (np.sin(2 * np.pi * hz * time_s).astype(np.float32) for hz in (200, 1200))
    cycles = [make_cycle(low, label=1, index=0), make_cycle(high, label=2, index=1)]
    joined = TrainingImages(cycles, COMPACT, AugmentationConfig(concatenation=1.0))
    alone = TrainingImages(cycles[:1], COMPACT, AugmentationConfig(padding_share=0.0))
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


def test_smart_padding_at_evaluation_fills_a_cycle_with_its_neighbours(make_cycle: Callable[..., Cycle]) -> None:
    time_s = np.arange(10000) / 4000
    tones = [np.sin(2 * np.pi * hz * time_s).astype(np.float32) for hz in (200, 800)]
    cycles = [make_cycle(tones[index % 2], label=1, index=index) for index in range(3)]
    alone, smart = evaluation_images(cycles, COMPACT), evaluation_images(cycles, COMPACT, padding="smart")
    mixed = np.concatenate([tones[0][1000:], tones[1], tones[0][:9000]])
    np.testing.assert_array_equal(smart.images[1], image_from_window(mixed, COMPACT))
    np.testing.assert_array_equal(alone.images[1], image_from_window(repeat_to_length(tones[1], 28000), COMPACT))


def test_no_cycles_make_no_images() -> None:
    assert evaluation_images([], COMPACT).images.shape == (0, *COMPACT.image_shape)


def test_statistics_are_those_of_unaugmented_images(cycles: list[Cycle]) -> None:
    mean, std = grey_level_statistics(cycles, COMPACT, np.random.default_rng(0))
    images = evaluation_images(cycles, COMPACT).images
    assert mean.shape == std.shape == (1,)
    assert mean[0] == pytest.approx(images.mean(), abs=1e-3)
    assert std[0] == pytest.approx(images.std(), abs=1e-3)
