"""What each augmentation does to a known input."""

import numpy as np
import pytest
from numpy.typing import NDArray

from train import augmentation

RATE_HZ = 4000


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(frequency_hz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)


def strongest_hz(samples: NDArray[np.float32]) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / samples.size)


def level_db(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


def test_concatenation_keeps_the_first_and_scales_the_second() -> None:
    joined = augmentation.concatenate(tone(200), tone(300), gain_db=6.0, rng=generator())
    np.testing.assert_array_equal(joined[:RATE_HZ], tone(200))
    gain = joined[RATE_HZ + 1] / tone(300)[1]
    np.testing.assert_allclose(joined[RATE_HZ:], gain * tone(300), rtol=1e-5, atol=1e-6)
    assert 10 ** (-6 / 20) <= gain <= 10 ** (6 / 20)


def test_concatenation_without_gain_is_plain_joining() -> None:
    joined = augmentation.concatenate(tone(200), tone(300), gain_db=0.0, rng=generator())
    np.testing.assert_array_equal(joined, np.concatenate([tone(200), tone(300)]))


@pytest.mark.parametrize("seed", range(5))
def test_speed_changes_pitch_and_duration_together(seed: int) -> None:
    changed = augmentation.change_speed(tone(400), most=0.1, rng=generator(seed))
    speed = RATE_HZ / changed.size
    assert 0.9 <= speed <= 1.1
    assert strongest_hz(changed) == pytest.approx(400 * speed, abs=2)


def test_shift_wraps_around() -> None:
    shifted = augmentation.shift(np.arange(50, dtype=np.float32), generator())
    assert sorted(shifted) == list(range(50))
    assert np.count_nonzero(np.diff(shifted) != 1) <= 1
    assert shifted[0] != 0


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_the_ratio_that_was_asked_for(seed: int) -> None:
    noisy = augmentation.add_noise(tone(400), snr_db=(20.0, 20.0), rng=generator(seed))
    assert level_db(tone(400)) - level_db(noisy - tone(400)) == pytest.approx(20, abs=0.1)


def test_silence_stays_silent_under_noise() -> None:
    assert not augmentation.add_noise(np.zeros(400, dtype=np.float32), snr_db=(10.0, 40.0), rng=generator()).any()


def test_a_flat_response_changes_nothing() -> None:
    same = augmentation.colour_response(tone(400), spread_db=0.0, sample_rate_hz=RATE_HZ, rng=generator())
    np.testing.assert_allclose(same, tone(400), atol=1e-5)


def test_a_random_response_scales_tones_by_about_its_spread_and_moves_none() -> None:
    gains_db = []
    for seed in range(200):
        coloured = augmentation.colour_response(tone(400), spread_db=4.0, sample_rate_hz=RATE_HZ, rng=generator(seed))
        gains_db.append(level_db(coloured) - level_db(tone(400)))
        assert strongest_hz(coloured) == 400
    assert np.std(gains_db) == pytest.approx(4.0, rel=0.2)
    assert abs(np.mean(gains_db)) < 1.0


def test_neighbouring_frequencies_get_neighbouring_gains() -> None:
    both = tone(1000) + tone(1010)
    coloured = augmentation.colour_response(both, spread_db=6.0, sample_rate_hz=RATE_HZ, rng=generator(3))
    spectrum = np.abs(np.fft.rfft(coloured))
    assert abs(20 * np.log10(spectrum[1000] / spectrum[1010])) < 0.5


def test_a_mask_covers_whole_rows_and_frames_with_the_mean_level() -> None:
    image = generator().integers(0, 200, (1, 64, 219), dtype=np.uint8)
    masked = augmentation.mask(image, most_rows=8, most_frames=24, rng=generator(1))
    changed = masked[0] != image[0]
    rows, frames = changed.mean(axis=1) > 0.9, changed.mean(axis=0) > 0.9
    assert 0 < rows.sum() <= 8
    assert 0 < frames.sum() <= 24
    assert not changed[~rows][:, ~frames].any()
    assert set(masked[0][changed]) == {np.uint8(image.mean())}


def test_masking_leaves_the_given_image_alone() -> None:
    image = np.full((1, 64, 219), 7, dtype=np.uint8)
    image[0, 0, 0] = 250
    augmentation.mask(image, most_rows=64, most_frames=219, rng=generator(2))
    assert image.max() == 250


def test_the_same_seed_gives_the_same_sound() -> None:
    for seed in range(3):
        first, second = (augmentation.add_noise(tone(400), (10.0, 40.0), generator(seed)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
