"""The demo's sound is what it says it is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.lung_sounds import COARSE, CYCLE_S, EXPIRATION_S, FINE, INSPIRATION_S, CrackleShape, crackle
from edge.audio.pacing import Pace
from edge.audio.recording import read_recording
from edge.audio.simulated import SAMPLE_RATE_HZ, SimulatedSource
from edge.audio.source import open_source
from edge.labels import LABELS
from edge.signal.conditioning import condition_recording
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT

Float32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def sound() -> Float32:
    return heard(SimulatedSource())


def heard(source: SimulatedSource) -> Float32:
    return np.concatenate([block.samples for block in source.blocks()])


def cycles(sound: Float32, label: str) -> list[Float32]:
    """The breathing cycles of the section that is known to hold `label`."""
    (section,) = (section for section in SimulatedSource().sections if section.label == label)
    start, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in (section.start_s, section.end_s))
    return np.split(sound[start:end], round((section.end_s - section.start_s) / CYCLE_S))


def phase(cycle: Float32, between_s: tuple[float, float]) -> Float32:
    return cycle[round(between_s[0] * SAMPLE_RATE_HZ) : round(between_s[1] * SAMPLE_RATE_HZ)]


def spectrum(sound: Float32) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Frequencies from 200 to 1600 Hz, above the heart sounds, and the magnitude at each."""
    magnitude = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    frequency_hz = np.fft.rfftfreq(sound.size, 1 / SAMPLE_RATE_HZ)
    inside = (frequency_hz >= 200) & (frequency_hz <= 1600)
    return frequency_hz[inside], magnitude[inside]


def tonality(expiration: Float32) -> float:
    """How far the highest line of the spectrum stands above the median one of its octave, in dB."""
    frequency_hz, magnitude = spectrum(expiration)
    highest = int(np.argmax(magnitude))
    octave = np.abs(np.log2(frequency_hz / frequency_hz[highest])) <= 0.5
    return float(20 * np.log10(magnitude[highest] / np.median(magnitude[octave])))


def impulsiveness(inspiration: Float32) -> float:
    """Kurtosis above the heart sounds: 3 for noise, far more with crackles."""
    above = np.diff(inspiration)
    return float(np.mean(above**4) / np.mean(above**2) ** 2)


def test_the_source_says_that_it_is_simulated_and_what_it_holds() -> None:
    with open_source("demo", realtime=False) as source:
        assert "simulated" in source.name
        assert [section.label for section in source.sections] == ["normal", "wheeze", "crackle", "both"]
        assert source.sections[0].start_s == 0
        assert all(one.end_s == other.start_s for one, other in pairwise(source.sections))
        assert {section.label for section in source.sections} == set(LABELS)
        length_s = source.sections[-1].end_s
        assert sum(block.samples.size for block in source.blocks()) == length_s * source.sample_rate_hz
    assert length_s == 56


def test_its_samples_are_finite_float32_without_clipping(sound: Float32) -> None:
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() < 0.9


def test_the_same_generator_gives_the_same_sound_and_another_gives_another() -> None:
    first = heard(SimulatedSource(np.random.default_rng(1)))
    np.testing.assert_array_equal(first, heard(SimulatedSource(np.random.default_rng(1))))
    assert np.abs(first - heard(SimulatedSource(np.random.default_rng(2)))).max() > 0.01


@pytest.mark.parametrize(
    ("label", "has_wheeze"), [("normal", False), ("crackle", False), ("wheeze", True), ("both", True)]
)
def test_expiration_is_tonal_where_a_wheeze_is_announced_and_only_there(
    label: str, has_wheeze: bool, sound: Float32
) -> None:
    for cycle in cycles(sound, label):
        assert (tonality(phase(cycle, EXPIRATION_S)) > 25) == has_wheeze


def test_a_wheeze_stays_tonal_for_longer_than_80_ms(sound: Float32) -> None:
    step = round(0.04 * SAMPLE_RATE_HZ)
    for cycle in cycles(sound, "wheeze"):
        expiration = phase(cycle, EXPIRATION_S)
        frames = expiration[: expiration.size // step * step].reshape(-1, step)
        tonal = np.array([tonality(frame) > 12 for frame in frames])
        longest = max(len(run) for run in "".join("t" if one else " " for one in tonal).split())
        assert longest * 0.04 > 0.25


@pytest.mark.parametrize(
    ("label", "has_crackles"), [("normal", False), ("wheeze", False), ("crackle", True), ("both", True)]
)
def test_inspiration_is_impulsive_where_crackles_are_announced_and_only_there(
    label: str, has_crackles: bool, sound: Float32
) -> None:
    for cycle in cycles(sound, label):
        assert (impulsiveness(phase(cycle, INSPIRATION_S)) > 7) == has_crackles


@pytest.mark.parametrize("shape", [FINE, COARSE])
def test_a_crackle_has_the_published_deflection_width_and_two_cycles(shape: CrackleShape) -> None:
    rate_hz = 200_000
    deflection = crackle(shape, rate_hz)
    assert deflection.size == pytest.approx(shape.two_cycles_ms * 1e-3 * rate_hz, abs=1)
    crossings = np.flatnonzero(np.diff(np.sign(deflection)) != 0)
    assert crossings.size == 3
    assert crossings[0] / rate_hz * 1e3 == pytest.approx(shape.initial_deflection_ms, abs=0.02)
    assert 0.5 < np.abs(deflection).max() <= 1


def test_inspiration_is_louder_than_expiration_and_a_pause_is_quiet(sound: Float32) -> None:
    inspiration, expiration, pause = (
        np.mean([loudness(phase(cycle, between_s)) for cycle in cycles(sound, "normal")])
        for between_s in (INSPIRATION_S, EXPIRATION_S, (3.15, CYCLE_S))
    )
    assert inspiration > 1.5 * expiration
    assert expiration > 1.5 * pause


def loudness(sound: Float32) -> float:
    return float(np.sqrt(np.mean(spectrum(sound)[1] ** 2)) / sound.size)


def test_its_feature_image_has_about_the_levels_of_real_normal_breathing(sound: Float32, shared_data: Path) -> None:
    paths = (shared_data / "icbhi" / "audio_and_txt_files").glob("*_Litt3200.flac")
    normal = [path for path in sorted(paths) if normal_share(path.with_suffix(".txt")) >= 0.75]
    real = [read_recording(path) for path in normal[:6]]
    real_levels = np.mean([row_levels(each.samples, each.sample_rate_hz) for each in real], axis=0)
    simulated_levels = row_levels(np.concatenate(cycles(sound, "normal")), SAMPLE_RATE_HZ)
    assert len(real) == 6
    assert np.abs(simulated_levels - real_levels).max() < 25


def normal_share(annotation: Path) -> float:
    """Of the annotated cycles, those with neither crackle nor wheeze."""
    return float(np.mean([line.split()[2:] == ["0", "0"] for line in annotation.read_text().splitlines()]))


def row_levels(samples: Float32, sample_rate_hz: int) -> NDArray[np.float64]:
    """Mean grey level, 0 to 255, of each eighth of the mel rows in the image of the first window."""
    conditioned = condition_recording(samples, sample_rate_hz, COMPACT)
    image = image_from_window(conditioned[: COMPACT.window_samples], COMPACT)
    return np.asarray(image.reshape(8, -1).mean(axis=1))


def test_in_real_time_it_takes_as_long_as_it_sounds() -> None:
    slept: list[float] = []
    pace = Pace(clock=lambda: sum(slept), sleep=slept.append)
    blocks = SimulatedSource(pace=pace).blocks()
    for _ in range(20):
        next(blocks)
    assert sum(slept) == pytest.approx(2.0)
