"""What each augmentation does to a known input."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from train import augmentation
from train.vocoder import FrequencyMap, move_frequencies

RATE_HZ = 4000


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tone(frequency_hz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)


def shift_pitch(
    samples: NDArray[np.float32], semitones: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    return move_frequencies(samples, augmentation.draw_pitch(semitones, rng))


def perturb_vocal_tract(
    samples: NDArray[np.float32], factor: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    return move_frequencies(samples, augmentation.draw_vocal_tract(factor, rng))


def strongest_hz(samples: NDArray[np.float32]) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / samples.size)


def level_db(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize("seed", range(5))
def test_speed_changes_pitch_and_duration_together(seed: int) -> None:
    changed = augmentation.change_speed(tone(400), most=0.1, rng=generator(seed))
    speed = RATE_HZ / changed.size
    assert 0.9 <= speed <= 1.1
    assert strongest_hz(changed) == pytest.approx(400 * speed, abs=2)


def peak_hz(samples: NDArray[np.float32]) -> float:
    """The strongest frequency, to a hundredth of a hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size), 100 * RATE_HZ))
    return float(spectrum.argmax()) / 100


@pytest.mark.parametrize("semitones", [-1.0, 0.4, 3.0])
@pytest.mark.parametrize("frequency_hz", [80.0, 403.7, 1150.0])
def test_pitch_moves_a_tone_by_its_semitones_and_keeps_its_duration(frequency_hz: float, semitones: float) -> None:
    moved = shift_pitch(tone(frequency_hz, 3.0), (semitones, semitones), generator())
    assert moved.size == 3 * RATE_HZ
    assert peak_hz(moved) == pytest.approx(frequency_hz * 2 ** (semitones / 12), rel=0.002)
    assert level_db(moved) == pytest.approx(level_db(tone(frequency_hz)), abs=2.5)


def test_the_moved_tone_is_there_from_beginning_to_end() -> None:
    moved = shift_pitch(tone(403.7, 3.0), (3.0, 3.0), generator())
    levels_db = [level_db(stretch) for stretch in np.split(moved, 12)]
    assert max(levels_db) - min(levels_db) < 1.5


def test_pitch_drops_what_would_pass_half_the_sample_rate() -> None:
    moved = shift_pitch(tone(1800, 3.0), (3.0, 3.0), generator())
    assert level_db(moved) < level_db(tone(1800)) - 25


def test_pitch_moves_breath_noise_as_librosa_does() -> None:
    librosa = pytest.importorskip("librosa")
    spectrum = np.fft.rfft(generator().standard_normal(5 * RATE_HZ)) * np.exp(-(np.linspace(-2, 8, 10001) ** 2))
    noise = np.fft.irfft(spectrum).astype(np.float32)
    theirs = librosa.effects.pitch_shift(y=noise, sr=RATE_HZ, n_steps=3.0, n_fft=256)
    ours = shift_pitch(noise, (3.0, 3.0), generator())
    centroids_hz = [
        float(np.median(librosa.feature.spectral_centroid(y=sound, sr=RATE_HZ, n_fft=256))) for sound in (ours, theirs)
    ]
    assert centroids_hz[0] == pytest.approx(centroids_hz[1], rel=0.03)


def test_a_click_stays_shorter_than_librosa_leaves_it() -> None:
    librosa = pytest.importorskip("librosa")
    click = 0.01 * generator().standard_normal(3 * RATE_HZ).astype(np.float32)
    click[6000] += 3

    def crest(sound: NDArray[np.float32]) -> float:
        return float(np.abs(sound[5800:6200]).max() / sound[:5000].std())

    theirs = librosa.effects.pitch_shift(y=click, sr=RATE_HZ, n_steps=3.0)
    assert crest(shift_pitch(click, (3.0, 3.0), generator())) > 2 * crest(theirs)


@pytest.mark.parametrize(("factor", "boundary_hz"), [(0.9, 1200.0), (1.1, 1200 / 1.1)])
def test_vtlp_multiplies_frequencies_below_its_boundary_and_fits_in_those_above(
    factor: float, boundary_hz: float
) -> None:
    def moved_hz(frequency_hz: float) -> float:
        moved = perturb_vocal_tract(tone(frequency_hz, 3.0), (factor, factor), generator())
        assert moved.size == 3 * RATE_HZ
        return peak_hz(moved)

    for frequency_hz in (100.0, 403.7, 900.0):
        assert moved_hz(frequency_hz) == pytest.approx(factor * frequency_hz, rel=0.002)
    for frequency_hz in (1500.0, 1900.0):
        share = (frequency_hz - boundary_hz) / (2000 - boundary_hz)
        expected_hz = factor * boundary_hz + share * (2000 - factor * boundary_hz)
        assert moved_hz(frequency_hz) == pytest.approx(expected_hz, rel=0.002)


def test_nothing_changes_where_no_frequency_moves() -> None:
    noise = generator().standard_normal(9000, dtype=np.float32)
    np.testing.assert_allclose(move_frequencies(noise, FrequencyMap((0, 1), (0, 1))), noise, atol=1e-5)


@pytest.mark.parametrize(("semitones", "factor"), [(3.0, 0.9), (-1.0, 1.1), (2.0, 1.1)])
@pytest.mark.parametrize("frequency_hz", [150.0, 403.7, 1450.0])
def test_two_moves_at_once_take_a_tone_where_one_after_the_other_does(
    frequency_hz: float, semitones: float, factor: float
) -> None:
    pitch, tract = (
        augmentation.draw_pitch((semitones, semitones), generator()),
        augmentation.draw_vocal_tract((factor, factor), generator()),
    )
    at_once = move_frequencies(tone(frequency_hz, 3.0), pitch, tract)
    in_turn = move_frequencies(move_frequencies(tone(frequency_hz, 3.0), pitch), tract)
    assert peak_hz(at_once) == pytest.approx(peak_hz(in_turn), rel=0.002)
    assert level_db(at_once) == pytest.approx(level_db(in_turn), abs=2.5)


@pytest.mark.parametrize("gain_db", [-6.0, 4.0])
@pytest.mark.parametrize("seed", range(5))
def test_one_stretch_gets_louder_or_softer_without_a_step(gain_db: float, seed: int) -> None:
    flat = np.full(20000, 0.25, dtype=np.float32)
    gains_db = 20 * np.log10(augmentation.change_loudness(flat, (gain_db, gain_db), generator(seed)) / flat)
    inside = np.isclose(gains_db, gain_db, atol=1e-4)
    assert 0.2 * flat.size - 160 <= inside.sum() <= 0.8 * flat.size
    assert np.ptp(np.flatnonzero(inside)) == inside.sum() - 1
    assert np.count_nonzero(np.abs(gains_db) > 1e-4) - inside.sum() < 160
    assert np.abs(np.diff(gains_db)).max() < 0.1
    assert (np.abs(gains_db) < 1e-4).sum() > 0.1 * flat.size


Change = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]
KEEPING_LENGTH: dict[str, Change] = {
    "pitch": lambda samples, rng: shift_pitch(samples, (-1.0, 3.0), rng),
    "vtlp": lambda samples, rng: perturb_vocal_tract(samples, (0.9, 1.1), rng),
    "loudness": lambda samples, rng: augmentation.change_loudness(samples, (-6.0, 6.0), rng),
    "shift": augmentation.shift,
    "noise": lambda samples, rng: augmentation.add_noise(samples, (10.0, 40.0), rng),
    "response": lambda samples, rng: augmentation.colour_response(samples, 4.0, RATE_HZ, rng),
}


@pytest.mark.parametrize("name", KEEPING_LENGTH)
@settings(deadline=None, max_examples=30)
@given(size=st.integers(2, 3000), level=st.sampled_from([0.0, 1e-6, 0.1, 1.0]), seed=st.integers(0, 2**32))
def test_a_change_keeps_length_type_and_the_given_samples_and_stays_finite(
    name: str, size: int, level: float, seed: int
) -> None:
    given_samples = (level * generator(seed).uniform(-1, 1, size)).astype(np.float32)
    kept = given_samples.copy()
    changed = KEEPING_LENGTH[name](given_samples, generator(seed))
    assert changed.shape == (size,)
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert level > 0 or not changed.any()
    np.testing.assert_array_equal(given_samples, kept)


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
    masked = augmentation.mask(image, augmentation.draw_mask(image.shape, 8, 24, generator(1)))
    changed = masked[0] != image[0]
    rows, frames = changed.mean(axis=1) > 0.9, changed.mean(axis=0) > 0.9
    assert 0 < rows.sum() <= 8
    assert 0 < frames.sum() <= 24
    assert not changed[~rows][:, ~frames].any()
    assert set(masked[0][changed]) == {np.uint8(image.mean())}


@given(rows=st.integers(1, 20), frames=st.integers(1, 40), most=st.integers(0, 50), seed=st.integers(0, 2**32))
def test_a_mask_lies_within_the_image_and_its_limits(rows: int, frames: int, most: int, seed: int) -> None:
    first_row, end_row, first_frame, end_frame = augmentation.draw_mask((1, rows, frames), most, most, generator(seed))
    assert 0 <= first_row <= end_row <= min(rows, first_row + most)
    assert 0 <= first_frame <= end_frame <= min(frames, first_frame + most)


def test_masking_leaves_the_given_image_alone() -> None:
    image = np.full((1, 64, 219), 7, dtype=np.uint8)
    image[0, 0, 0] = 250
    augmentation.mask(image, np.array([0, 64, 0, 219]))
    assert image.max() == 250


def test_the_same_seed_gives_the_same_sound() -> None:
    for seed in range(3):
        first, second = (augmentation.add_noise(tone(400), (10.0, 40.0), generator(seed)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
