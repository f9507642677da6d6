"""The twin of the features in PyTorch against `edge.signal`, which is the definition."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from edge.signal.clipping import clipped_rows
from edge.signal.conditioning import condition_recording
from edge.signal.image import (
    colour_image_from_levels,
    image_from_window,
    level_image_from_levels,
    levels_from_window,
)
from edge.signal.padding import repeat_to_length
from edge.signal.spec import COMPACT, RESPIRENET, FeatureSpec
from train import augmentation
from train.cycles import load_cycles
from train.dataset import TrainingImages, TrainingWindows
from train.icbhi import read_icbhi
from train.recipes import smoke
from train.sampling import draw_epoch
from train.torch_features import ImageMaker, painted

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

SPECS = {
    "compact": COMPACT,
    "respirenet": RESPIRENET,
    "compact unclipped": replace(COMPACT, blank_grey_level=0),
    "respirenet unclipped": replace(RESPIRENET, blank_grey_level=0),
    "compact 1 s": replace(COMPACT, window_s=1.0),
    "respirenet 1 s": replace(RESPIRENET, window_s=1.0),
    "compact 9 s": replace(COMPACT, window_s=9.0),
    "respirenet 9 s": replace(RESPIRENET, window_s=9.0),
    "enlarged twice": replace(RESPIRENET, enlargement=2),
}
FEW_PIXELS = 3
MOST_PER_MILLION = {torch.float64: 60, torch.float32: 400}
"""Pixels that may differ. Measured: 0 to 32 and 0 to 178."""
MOST_LEVELS = {"levels": 1, "colour": 3}
"""By how much. A step of one level is a step of up to three in a colour."""


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> torch.device:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    return torch.device(request.param)


@pytest.fixture(scope="module", params=["made up", "recorded"])
def sounds(request: pytest.FixtureRequest) -> list[Float32]:
    if request.param == "made up":
        return made_up_sounds()
    return real_sounds(request.getfixturevalue("shared_data") / "icbhi" / "audio_and_txt_files")


def made_up_sounds() -> list[Float32]:
    """Silence, a tone, impulses, and noise of several bandwidths, so that each loses another number of rows."""
    rng = np.random.default_rng(7)
    white = rng.standard_normal(36_000)
    clicks = np.zeros(36_000)
    clicks[[1000, 1500, 3999, 20_000]] = 1, -0.5, 1, 0.2
    spectrum, bins_hz = np.fft.rfft(white), np.fft.rfftfreq(36_000, 1 / 4000)
    low = [np.fft.irfft(spectrum * (bins_hz < edge_hz)) for edge_hz in (120, 400, 800, 1200, 1900)]
    tone = pure_tone(36_000)
    sounds = [np.zeros(36_000), tone + 1e-3 * white, white, 1e-4 * white, clicks, *low]
    return [sound.astype(np.float32) for sound in sounds]


def pure_tone(length: int) -> Float32:
    return np.sin(2 * np.pi * 400 * np.arange(length) / 4000).astype(np.float32)


def real_sounds(folder: Path) -> list[Float32]:
    """Every twelfth ICBHI recording, conditioned."""
    soundfile = pytest.importorskip("soundfile")
    read = (soundfile.read(path, dtype="float32") for path in sorted(folder.glob("*.flac"))[::12])
    return [condition_recording(samples, rate_hz, COMPACT) for samples, rate_hz in read]


def windows_of(sounds: list[Float32], spec: FeatureSpec) -> Float32:
    return np.stack([repeat_to_length(sound, spec.window_samples) for sound in sounds])


def defined_images(windows: Float32, spec: FeatureSpec) -> UInt8:
    return np.stack([image_from_window(window, spec) for window in windows])


def clips_of(windows: Float32, spec: FeatureSpec) -> set[int]:
    return {clipped_rows(levels_from_window(window, spec)[::-1], spec) for window in windows}


@pytest.mark.parametrize("precision", list(MOST_PER_MILLION), ids=str)
@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
def test_images_are_the_definitions_but_for_a_level_in_some_pixels_of_a_million(
    spec: FeatureSpec, precision: torch.dtype, sounds: list[Float32], device: torch.device
) -> None:
    windows = windows_of(sounds, spec)
    made = ImageMaker(spec, precision).to(device)(torch.from_numpy(windows).to(device))
    difference = np.abs(made.cpu().numpy().astype(int) - defined_images(windows, spec))
    assert made.dtype == torch.uint8
    assert made.shape[1:] == spec.image_shape
    # Of the images of one second a single pixel is already 35 in a million.
    assert np.count_nonzero(difference) <= max(FEW_PIXELS, MOST_PER_MILLION[precision] * difference.size / 1e6)
    assert difference.max() <= MOST_LEVELS[spec.layout]


@pytest.mark.parametrize("spec", [COMPACT, RESPIRENET], ids=lambda spec: spec.name)
def test_one_batch_holds_windows_that_lose_different_numbers_of_rows(spec: FeatureSpec) -> None:
    assert len(clips_of(windows_of(made_up_sounds(), spec), spec)) >= 5


@pytest.mark.parametrize("spec", SPECS.values(), ids=list(SPECS))
def test_equal_levels_give_the_identical_image_whatever_the_number_of_blank_rows(
    spec: FeatureSpec, device: torch.device
) -> None:
    upright = np.random.default_rng(2).integers(60, 256, (10, 64, spec.frames), dtype=np.uint8)
    for levels, blank_rows in zip(upright, (0, 1, 2, 5, 21, 40, 61, 62, 63, 64), strict=True):
        levels[:blank_rows] = 0
    image_from_levels = level_image_from_levels if spec.layout == "levels" else colour_image_from_levels
    made = ImageMaker(spec).to(device).from_levels(torch.from_numpy(upright).to(device))
    expected = np.stack([image_from_levels(levels[::-1], spec) for levels in upright])
    np.testing.assert_array_equal(made.cpu().numpy(), expected)


@pytest.mark.parametrize("share", [0.79, 0.8, 0.81])
def test_a_row_is_blank_from_the_same_share_of_dark_pixels(share: float) -> None:
    spec = replace(COMPACT, window_s=6.368)
    levels = np.full((64, spec.frames), 200, dtype=np.uint8)
    levels[0, : round(share * spec.frames)] = 0
    assert spec.frames == 200
    assert ImageMaker(spec).clipped_rows(torch.from_numpy(levels[np.newaxis])).tolist() == [clipped_rows(levels, spec)]


def test_silence_is_what_the_device_sees(device: torch.device) -> None:
    for spec in (COMPACT, RESPIRENET):
        silence = np.zeros((1, spec.window_samples), np.float32)
        made = ImageMaker(spec).to(device)(torch.from_numpy(silence).to(device))
        np.testing.assert_array_equal(made.cpu().numpy(), defined_images(silence, spec))


def test_a_pure_tone_is_one_level_off_at_most_though_in_whole_rows(device: torch.device) -> None:
    # Every frame is the same, so that a level between two stays between them from end to end.
    tone = pure_tone(COMPACT.window_samples)[np.newaxis]
    made = ImageMaker(COMPACT).to(device)(torch.from_numpy(tone).to(device)).cpu().numpy().astype(int)
    difference = np.abs(made - defined_images(tone, COMPACT))
    assert difference.max() <= 1
    assert np.count_nonzero(difference.any(axis=3)) <= 6


def test_masks_are_painted_as_the_numpy_path_paints_them(device: torch.device) -> None:
    images = np.random.default_rng(3).integers(0, 256, (3, 2, 10, 20), dtype=np.uint8)
    masks = np.array([[2, 5, 7, 11], [0, 0, 0, 0], [9, 10, 4, 4]])
    expected = np.stack([augmentation.mask(image, mask) for image, mask in zip(images, masks, strict=True)])
    made = painted(torch.from_numpy(images).to(device), torch.from_numpy(masks).to(device))
    np.testing.assert_array_equal(made.cpu().numpy(), expected)


def test_windows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"windows have shape \[2, 27999\]; it must be \[B, 28000\]"):
        ImageMaker(COMPACT)(torch.zeros(2, 27_999))


def test_the_tables_stay_out_of_checkpoints() -> None:
    assert ImageMaker(RESPIRENET).state_dict() == {}


def test_the_surrounding_autocast_does_not_reach_the_spectra() -> None:
    windows = torch.from_numpy(windows_of(made_up_sounds(), COMPACT))
    alone = ImageMaker(COMPACT)(windows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ImageMaker(COMPACT)(windows), alone)


@pytest.mark.parametrize("spec", [COMPACT, RESPIRENET], ids=lambda spec: spec.name)
def test_a_training_batch_is_the_same_through_both_paths(
    spec: FeatureSpec, icbhi_folder: Path, device: torch.device
) -> None:
    cycles = load_cycles(read_icbhi(icbhi_folder), spec)
    config = replace(smoke().augmentation, mask_share=0.7, pitch_share=0.3, vtlp_share=0.3, loudness_share=0.3)
    draws = draw_epoch(np.full(len(cycles), 1 / len(cycles)), 12, run_seed=3, epoch=0)
    (images, labels), (windows, masks, labels_beside) = (
        next(iter(DataLoader(samples, batch_size=len(draws), sampler=draws)))
        for samples in (TrainingImages(cycles, spec, config), TrainingWindows(cycles, spec, config))
    )
    made = ImageMaker(spec).to(device)(windows.to(device), masks.to(device)).cpu()
    difference = np.abs(made.numpy().astype(int) - images.numpy())
    assert labels_beside.tolist() == labels.tolist()
    assert 0 < masks.any(1).sum() < len(draws)
    assert np.mean(difference > 0) * 1e6 <= MOST_PER_MILLION[torch.float64]
    assert difference.max() <= MOST_LEVELS[spec.layout]
