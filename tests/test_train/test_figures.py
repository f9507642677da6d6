"""What the figures are drawn from: frequencies of rows, averages of maps, the choice of an example."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.signal.clipping import clipped_rows
from edge.signal.image import image_from_window, levels_from_window
from edge.signal.spec import COMPACT, RESPIRENET, FeatureSpec
from train.attention import attention_maps
from train.cycles import Cycle
from train.figures.average_attention import AverageAttention, average_over_windows, rows_above
from train.figures.comparison import BATCH, SeenWindow, batches
from train.figures.figure_3 import Example
from train.figures.rows import band_centres_hz, image_row_of_hz, on_mel_rows
from train.network import NetworkConfig, RespireNetwork

MakeCycle = Callable[..., Cycle]
SHORT = replace(COMPACT, window_s=1.0)


def test_band_centres_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.mel_frequencies(n_mels=COMPACT.n_mels + 2, fmin=COMPACT.mel_low_hz, fmax=COMPACT.mel_high_hz)
    # Bands are sums of bins 15.6 Hz apart, and lean to their longer side where the scale is logarithmic.
    np.testing.assert_allclose(band_centres_hz(COMPACT), expected[1:-1], atol=4)


@pytest.mark.parametrize("spec", [COMPACT, RESPIRENET], ids=["levels", "colour"])
def test_a_tone_is_found_at_its_frequency_in_a_clipped_image(spec: FeatureSpec) -> None:
    time_s = np.arange(spec.window_samples) / spec.sample_rate_hz
    window = np.sin(2 * np.pi * 500 * time_s).astype(np.float32)
    image, cut_rows = image_from_window(window, spec), clipped_rows(levels_from_window(window, spec)[::-1], spec)
    assert cut_rows > 20
    brightness = image.mean(axis=(0, 2))
    shown_at = (brightness.argmax() + 0.5) / len(brightness)
    assert image_row_of_hz(500, cut_rows, spec) == pytest.approx(shown_at, abs=1 / (spec.n_mels - cut_rows))
    on_mel = on_mel_rows(image.mean(axis=0, dtype=np.float32), cut_rows, spec.n_mels)
    assert on_mel.shape == (spec.n_mels, image.shape[2])
    assert band_centres_hz(spec)[::-1][on_mel.mean(axis=1).argmax()] == pytest.approx(500, abs=13)
    assert image_row_of_hz(1500, cut_rows, spec) < 0


def test_an_uncut_map_stays_as_it_is_and_a_cut_one_keeps_its_mean() -> None:
    seen = np.random.default_rng(0).random((64, 5), dtype=np.float32)
    np.testing.assert_array_equal(on_mel_rows(seen, 0, 64), seen)
    moved = on_mel_rows(seen, 40, 64)
    assert not moved[:40].any()
    np.testing.assert_allclose(moved[40:].mean(axis=0), seen.mean(axis=0), rtol=1e-5)


def test_shares_count_the_rows_that_they_name() -> None:
    image = np.zeros((64, 4))
    image[:16], image[32:] = 3, 1
    average = AverageAttention(COMPACT, image, image, cycles=1, blank_cycles=0, mean_cut_rows=0)
    assert average.lower_half_share == pytest.approx(32 / (48 + 32))
    rows = rows_above(1500, COMPACT).stop
    assert band_centres_hz(COMPACT)[-rows] >= 1500 > band_centres_hz(COMPACT)[-rows - 1]
    assert average.share_above(1500) == pytest.approx(3 * rows / (48 + 32))
    silent = replace(average, image=0 * image)
    assert np.isnan(silent.lower_half_share)


@pytest.fixture(scope="module")
def network() -> RespireNetwork:
    torch.manual_seed(0)
    return RespireNetwork(NetworkConfig(depth=18, width=0.125, in_channels=1)).eval()


def windows(make_cycle: MakeCycle, number: int, share: float = 1.0, cut_rows: int = 0) -> list[SeenWindow]:
    rng = np.random.default_rng(number)
    images = rng.integers(0, 256, (number, *SHORT.image_shape), dtype=np.uint8)
    return [SeenWindow(make_cycle(label=at % 4), image, cut_rows, share) for at, image in enumerate(images)]


def test_the_average_over_batches_is_the_mean_of_the_maps(network: RespireNetwork, make_cycle: MakeCycle) -> None:
    seen = windows(make_cycle, BATCH + 6)
    average = average_over_windows(network, iter(seen), SHORT, "predicted")
    expected = attention_maps(network, np.stack([window.image for window in seen])).mean(axis=0)
    assert average.cycles == BATCH + 6
    np.testing.assert_allclose(average.image, expected, atol=1e-4)
    np.testing.assert_allclose(average.by_mel_row, average.image, atol=1e-6)


def test_maps_of_the_annotated_class_follow_the_labels(network: RespireNetwork, make_cycle: MakeCycle) -> None:
    seen = windows(make_cycle, 4)
    average = average_over_windows(network, seen, SHORT, "true")
    expected = attention_maps(network, np.stack([window.image for window in seen]), np.arange(4)).mean(axis=0)
    np.testing.assert_allclose(average.image, expected, atol=1e-5)


def test_the_windows_of_a_long_cycle_count_as_one(network: RespireNetwork, make_cycle: MakeCycle) -> None:
    short, halves = windows(make_cycle, 1, cut_rows=1), windows(make_cycle, 2, share=0.5, cut_rows=21)
    average = average_over_windows(network, short + halves, SHORT, "predicted")
    maps = attention_maps(network, np.stack([window.image for window in short + halves]))
    np.testing.assert_allclose(average.image, (maps[0] + (maps[1] + maps[2]) / 2) / 2, atol=1e-5)
    assert (average.cycles, average.blank_cycles, average.mean_cut_rows) == (2, 1, 11)
    assert average.by_mel_row[0].sum() == 0
    assert average.by_mel_row[-1].sum() > 0


def test_no_more_than_a_batch_is_held() -> None:
    drawn: list[int] = []
    first = next(batches(drawn.append(at) or at for at in range(10 * BATCH)))  # type: ignore[func-returns-value]
    assert len(first) == len(drawn) == BATCH


def test_the_example_is_one_that_clipping_helps(make_cycle: MakeCycle) -> None:
    def example(cut_rows: int, said_before: int, said_after: int) -> Example:
        (window,) = windows(make_cycle, 1, cut_rows=cut_rows)
        return Example(window, window, said_before, said_after)

    in_order = [
        example(1, said_before=2, said_after=0),
        example(30, said_before=0, said_after=0),
        example(20, said_before=2, said_after=2),
        example(10, said_before=2, said_after=0),
        example(11, said_before=3, said_after=0),
    ]
    assert sorted(in_order, key=lambda each: each.interest) == in_order
