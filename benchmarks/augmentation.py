"""Training samples a second, from cycles to images: this project beside nlpaug, librosa and OpenCV."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.released_samples import (
    Image,
    LibrarySamples,
    image_as_released,
    image_with_libraries,
    techniques_as_released,
    techniques_over_the_whole_sound,
)
from benchmarks.report import Table
from benchmarks.simulated_sound import CYCLE_LENGTHS_S, simulated_cycles
from benchmarks.timing import medians_ms, one_thread
from edge.signal.image import image_from_window
from edge.signal.spec import COMPACT, RESPIRENET, FeatureSpec
from train import augmentation
from train.concatenation import concatenate
from train.config import AugmentationConfig
from train.cycles import Cycle
from train.dataset import TrainingImages
from train.padding import fill
from train.sampling import Draw
from train.vocoder import move_frequencies

Float32 = NDArray[np.float32]
Step = Callable[[], object]

EVERY = AugmentationConfig(
    padding="repetition",
    concatenation=1.0,
    speed=0.1,
    pitch_share=1.0,
    vtlp_share=1.0,
    loudness_share=1.0,
    shift=True,
    noise_share=1.0,
)
AS_DRAWN = replace(EVERY, concatenation=0.5, pitch_share=0.1, vtlp_share=0.1, loudness_share=0.1, noise_share=0.1)
"""The authors' shares: half of the samples, one technique of five. Joining, speed and shift have cost next to nothing
and are here done to as many samples or more."""

SAMPLES_COLUMNS = ("images", "techniques", "ours, samples/s", "libraries", "libraries, samples/s", "ratio")
SAMPLES_NOTE = """\
From conditioned cycles in memory, as long as ICBHI's, to 8-bit images of 7 s. *Every*: two cycles are joined, padded,
changed by each of nlpaug's five techniques over the whole sound, and shifted. *As drawn*: the released code's shares
(half of the samples are changed by one of the five) and nlpaug's defaults (VTLP changes a tenth of the sound, the
others 60 %). *As released*: its picture is made twice for each sample, each time with filterbank and colour map;
*tidied*: everything once. One process with one thread on each side; processor time, medians of {rounds} interleaved
rounds of {samples} samples. To reach: a ratio of at least 5. Not reached where few samples are changed: what is left
is the image, which OpenCV makes as fast as we do."""
STEPS_COLUMNS = ("step", "ours, ms", "libraries, ms", "ratio")
STEPS_NOTE = """\
Of one window of 7 s, over its whole length; processor time, medians of {repeats} interleaved rounds. nlpaug calls
librosa for speed, VTLP and pitch. Not the same sound comes out: our speed moves the pitch, too, as a record player
does, where nlpaug's keeps it; our pitch and VTLP take their phases along, where nlpaug's VTLP leaves them behind, and
cost one pass where a sample gets both."""


@dataclass(frozen=True)
class SamplesEffort:
    """How often, and how many samples make a round."""

    rounds: int
    samples: int


def measure_samples(effort: SamplesEffort) -> Table:
    """Whole samples, for each kind of image and of libraries' work."""
    cases = [
        (RESPIRENET, "as released", image_as_released(RESPIRENET)),
        (RESPIRENET, "tidied", image_with_libraries(RESPIRENET)),
        (COMPACT, "tidied", image_with_libraries(COMPACT)),
    ]
    with one_thread():
        rows = [
            [spec.name, "every" if every else "as drawn", *_rates(spec, manner, image, every, effort)]
            for spec, manner, image in cases
            for every in (True, False)
        ]
    note = SAMPLES_NOTE.format(rounds=effort.rounds, samples=effort.samples)
    return Table("Training samples", SAMPLES_COLUMNS, rows, note)


def measure_steps(repeats: int) -> Table:
    """Each technique and each image alone."""
    cycles = simulated_cycles(COMPACT.sample_rate_hz)
    window = np.resize(cycles[2], COMPACT.window_samples)
    rng = np.random.default_rng(0)
    ours, libraries = _our_steps(window, cycles, rng), _library_steps(window, cycles, rng)
    cases = {f"ours, {name}": case for name, case in ours.items()}
    cases |= {f"libraries, {name}": case for name, case in libraries.items()}
    with one_thread():
        times = medians_ms(cases, repeats, time.process_time)
    rows = [_step_row(name, times[f"ours, {name}"], times[f"libraries, {name}"]) for name in ours]
    return Table("Steps of a training sample", STEPS_COLUMNS, rows, STEPS_NOTE.format(repeats=repeats))


def library_samples(spec: FeatureSpec, image: Image, *, every: bool) -> LibrarySamples:
    """The libraries' side of a row."""
    techniques = techniques_over_the_whole_sound if every else techniques_as_released
    cycles = simulated_cycles(spec.sample_rate_hz)
    return LibrarySamples(cycles, spec.window_samples, techniques(spec.sample_rate_hz), image, every)


def our_samples(spec: FeatureSpec, *, every: bool) -> TrainingImages:
    """Our side of a row: what training itself draws from."""
    return TrainingImages(simulated_training_cycles(spec.sample_rate_hz), spec, EVERY if every else AS_DRAWN)


def simulated_training_cycles(sample_rate_hz: int) -> list[Cycle]:
    """`simulated_cycles` as training takes them, five of each class."""
    return [
        Cycle(
            samples=samples,
            label=position // len(CYCLE_LENGTHS_S),
            patient="simulated",
            device="simulated",
            dataset="simulated",
            recording="simulated",
            index=position,
        )
        for position, samples in enumerate(simulated_cycles(sample_rate_hz))
    ]


def _rates(spec: FeatureSpec, manner: str, image: Image, every: bool, effort: SamplesEffort) -> list[str]:
    libraries, ours = library_samples(spec, image, every=every), our_samples(spec, every=every)
    positions = np.random.default_rng(0).integers(len(ours.cycles), size=effort.samples).tolist()
    rng, rounds = np.random.default_rng(0), itertools.count()

    def our_round() -> None:
        number = next(rounds)
        for index, position in enumerate(positions):
            ours[Draw(position, (0, number, index))]

    def library_round() -> None:
        for position in positions:
            libraries.sample(position, rng)

    times = medians_ms({"ours": our_round, "libraries": library_round}, effort.rounds, time.process_time)
    ours_per_s, libraries_per_s = (1000 * effort.samples / times[side] for side in ("ours", "libraries"))
    return [f"{ours_per_s:.0f}", manner, f"{libraries_per_s:.0f}", f"{ours_per_s / libraries_per_s:.1f}"]


def _our_steps(window: Float32, cycles: Sequence[Float32], rng: Generator) -> dict[str, Step]:
    return {
        "noise": lambda: augmentation.add_noise(window, EVERY.noise_snr_db, rng),
        "speed": lambda: augmentation.change_speed(window, EVERY.speed, rng),
        "loudness": lambda: augmentation.change_loudness(window, EVERY.loudness_gain_db, rng),
        "VTLP": lambda: move_frequencies(window, augmentation.draw_vocal_tract(EVERY.vtlp_factor, rng)),
        "pitch": lambda: move_frequencies(window, augmentation.draw_pitch(EVERY.pitch_semitones, rng)),
        "shift": lambda: augmentation.shift(window, rng),
        "joining, padding": lambda: fill(concatenate(cycles[2], cycles[3], 0.0, rng), "repetition", window.size, rng),
        "image, respirenet": lambda: image_from_window(window, RESPIRENET),
        "image, compact": lambda: image_from_window(window, COMPACT),
    }


def _library_steps(window: Float32, cycles: Sequence[Float32], rng: Generator) -> dict[str, Step]:
    techniques = techniques_over_the_whole_sound(COMPACT.sample_rate_hz)
    return {
        **{name: partial(technique, window) for name, technique in techniques.items()},
        "shift": lambda: np.roll(window, rng.integers(window.size)),
        "joining, padding": lambda: np.resize(np.concatenate([cycles[2], cycles[3]]), window.size),
        "image, respirenet": partial(image_with_libraries(RESPIRENET), window),
        "image, compact": partial(image_with_libraries(COMPACT), window),
    }


def _step_row(name: str, ours_ms: float, libraries_ms: float) -> list[str]:
    return [name, f"{ours_ms:.2f}", f"{libraries_ms:.2f}", f"{libraries_ms / ours_ms:.1f}"]
