"""What the detector of coughs and voices learns from: frames of marked recordings, also coloured anew and mixed.

Marked coughs and voices are nearly all of one stethoscope. So that the detector learns them, and not the stethoscope,
they are mixed into breath of the others at -6 to 25 dB, everything through frequency responses drawn at random.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.annotations import annotations_beside, read_annotations
from edge.audio.lung_sounds import simulate_cycle
from edge.audio.recording import read_recording
from edge.coughs_and_voices.detector import COUGH, ONSET, VOICE
from edge.coughs_and_voices.features import FRAME_SAMPLES, HOP_S, HOP_SAMPLES, features_of, initial_frames
from edge.labels import LABELS
from edge.signal.conditioning import condition_recording
from edge.signal.spec import COMPACT
from train.sound_marks.marks import LookedAt, Mark, read_looked_at
from train.sound_marks.talk import synthetic_talk
from train.sound_marks.wheezes import synthetic_wheezes

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

FOLDS = 8
MARKED_STETHOSCOPE = "Litt3200"
SAME_SOUND = {"175": "124"}
"""Two recordings of either patient end with the same sound (README.md)."""
SPRSOUND_RECORDINGS = 700
"""Drawn at random: as much sound as ICBHI's originals hold."""
MIXES, FURTHER_MIXES = 6, 4
"""Of each recording of the marked stethoscope, and of each other one with marks."""
SYNTHETIC = 500
WHEEZE_COPIES = 3
"""Further colours of recordings with wheezes, rhonchi or stridor: what is taken for a voice most easily."""
WHEEZES = ("Wheeze", "Rhonchi", "Stridor", "Wheeze+Crackle")
SYNTHETIC_WHEEZES = 1800
SIMULATED = 320
"""Breathing cycles in a row, as the program's own demonstration plays them: their wheezes are no voices."""
SIMULATED_CYCLES = 4
ONSET_AFTER_S = 0.03
"""A cough's first burst is at its height."""
ONSET_AROUND_S = 0.05
UNSURE_AROUND_S = 0.1
COLOUR_KNOTS_HZ = (60.0, 125.0, 250.0, 500.0, 900.0, 1300.0, 2000.0)


@dataclass(frozen=True)
class Sound:
    """A recording, conditioned."""

    name: str
    database: str
    samples: Float32
    marks: tuple[Mark, ...]
    wheezes: bool = False
    """Annotated somewhere in it."""
    is_copy: bool = False
    """Of the filtered 4 kHz copy of the database, not an original."""

    @property
    def fold(self) -> int:
        """By patient: those with the marked stethoscope have one each, everybody else is spread by number."""
        patient = self.name.split("_")[0]
        patient = SAME_SOUND.get(patient, patient) if self.database == "icbhi" else patient
        if self.database == "icbhi" and patient in MARKED_PATIENTS:
            return MARKED_PATIENTS.index(patient)
        return zlib.crc32(patient.encode()) % FOLDS

    @property
    def stethoscope(self) -> str:
        """ICBHI's token, or the database."""
        return self.name.rsplit("_", 1)[-1] if self.database == "icbhi" else self.database


MARKED_PATIENTS = ("109", "112", "113", "118", "124", "139", "185", "218")


@dataclass(frozen=True)
class Example:
    """A sound's frames."""

    fold: int
    features: Float32
    """float32 [k, FEATURES]."""
    wanted: Bools
    """bool [k, 3]: in a cough, in a voice, at a cough's beginning."""
    counts: Bools
    """bool [k]: not unsure, and to be heard in a mix."""


def read_sounds(data: Path, seed: int) -> list[Sound]:
    """Every ICBHI original, of the other stethoscopes also what only the 4 kHz copy holds, and some of SPRSound's
    training side, all marked ones among them, from the folder that holds all three.
    """
    looked_at = {(each.database, each.recording): each for each in read_looked_at()}
    icbhi = sorted((data / "icbhi" / "audio_and_txt_files").glob("*.flac"))
    sprsound = sorted((data / "sprsound" / "train").glob("*.flac"))
    drawn = np.random.default_rng(seed).permutation(len(sprsound))[:SPRSOUND_RECORDINGS]
    marked = [path for path in sprsound if ("sprsound", path.stem) in looked_at]
    chosen = sorted({*marked, *(sprsound[index] for index in drawn)})
    originals = {path.name for path in icbhi}
    copies = sorted((data / "icbhi_4khz" / "audio_and_txt_files").glob("*.flac"))
    further = [path for path in copies if path.name not in originals and MARKED_STETHOSCOPE not in path.name]
    return [
        *(_read(path, "icbhi", looked_at) for path in icbhi),
        *(_read(path, "icbhi", {}) for path in further),
        *(_read(path, "sprsound", looked_at) for path in chosen),
    ]


def make_examples(sounds: Sequence[Sound], seed: int) -> Iterator[Example]:
    """Each sound as it is and coloured, mixes, breath alone, synthetic talk and synthetic wheezes over breath.

    What is mixed is of one fold, so that no patient is on both sides of a split.
    """
    rng = np.random.default_rng(seed)
    breath: dict[int, list[Sound]] = {fold: [] for fold in range(FOLDS)}
    for sound in sounds:
        if sound.stethoscope != MARKED_STETHOSCOPE and not wanted_of(sound.marks, frames_in(sound.samples))[0].any():
            breath[sound.fold].append(sound)
    for sound in sounds:
        wanted, counts = wanted_of(sound.marks, frames_in(sound.samples))
        yield _example(sound.fold, sound.samples, wanted, counts)
        yield _example(sound.fold, coloured(sound.samples, rng), wanted, counts)
        for _ in range(WHEEZE_COPIES if sound.wheezes and not wanted.any() else 0):
            yield _example(sound.fold, coloured(sound.samples, rng), wanted, counts)
        mixes = MIXES if sound.stethoscope == MARKED_STETHOSCOPE else FURTHER_MIXES if wanted.any() else 0
        for _ in range(mixes):
            host = _host(breath[sound.fold], sound.samples.size, rng)
            yield _mixed(sound.fold, coloured(sound.samples, rng), host, wanted, counts, rng)
            yield _example(sound.fold, host, np.zeros_like(wanted), np.ones_like(counts))
    for _ in range(SYNTHETIC):
        fold = int(rng.integers(FOLDS))
        host = _host(breath[fold], 0, rng)
        talk, voiced = synthetic_talk(host.size, rng)
        wanted = np.zeros((frames_in(host), 3), np.bool_)
        wanted[:, VOICE] = voiced[np.minimum(np.arange(len(wanted)) * HOP_SAMPLES, voiced.size - 1)]
        yield _mixed(fold, coloured(talk, rng, 6), host, wanted, np.ones(len(wanted), np.bool_), rng)
    for _ in range(SYNTHETIC_WHEEZES):
        fold = int(rng.integers(FOLDS))
        host = _host(breath[fold], 0, rng)
        nothing = np.zeros((frames_in(host), 3), np.bool_)
        wheezes = coloured(synthetic_wheezes(host.size, rng), rng, 6)
        yield _mixed(fold, wheezes, host, nothing, np.ones(len(nothing), np.bool_), rng)
    for index in range(SIMULATED):
        label = LABELS[index % len(LABELS)]
        breath_s = [simulate_cycle(label, COMPACT.sample_rate_hz, rng) for _ in range(SIMULATED_CYCLES)]
        samples = coloured(np.concatenate(breath_s).astype(np.float32), rng, 4)
        frames = frames_in(samples)
        yield _example(index % FOLDS, samples, np.zeros((frames, 3), np.bool_), np.ones(frames, np.bool_))


def frames_in(samples: Float32) -> int:
    """How many frames a whole sound gives."""
    return max((samples.size + FRAME_SAMPLES // 2 - FRAME_SAMPLES) // HOP_SAMPLES + 1, 0)


def wanted_of(marks: Sequence[Mark], frames: int) -> tuple[Bools, Bools]:
    """What marks say of each frame: bool [frames, 3], and bool [frames], False where they are unsure."""
    times_s = np.arange(frames) * HOP_S
    wanted, counts = np.zeros((frames, 3), np.bool_), np.ones(frames, np.bool_)
    for mark in marks:
        inside = (times_s >= mark.start_s) & (times_s < mark.end_s)
        if mark.kind == "cough":
            wanted[inside, COUGH] = True
            wanted[np.abs(times_s - mark.start_s - ONSET_AFTER_S) <= ONSET_AROUND_S, ONSET] = True
        elif mark.kind in ("voice", "cry"):
            wanted[inside, VOICE] = True
        else:
            counts[(times_s >= mark.start_s - UNSURE_AROUND_S) & (times_s < mark.end_s + UNSURE_AROUND_S)] = False
    return wanted, counts


def coloured(samples: Float32, rng: np.random.Generator, by_db: float = 10) -> Float32:
    """Through a smooth frequency response drawn at random, and in two cases of five without what lies under 90 Hz, as
    the 4 kHz copy of the database is.
    """
    frequency_hz = np.maximum(np.fft.rfftfreq(samples.size, 1 / COMPACT.sample_rate_hz), 1)
    gain_db = np.interp(np.log(frequency_hz), np.log(COLOUR_KNOTS_HZ), rng.uniform(-by_db, by_db, len(COLOUR_KNOTS_HZ)))
    gain = 10 ** (gain_db / 20)
    if rng.random() < 0.4:
        gain = gain / (1 + (90 / frequency_hz) ** 8)
    return np.fft.irfft(np.fft.rfft(samples) * gain, samples.size).astype(np.float32)


def _read(path: Path, database: str, looked_at: Mapping[tuple[str, str], LookedAt]) -> Sound:
    recording = read_recording(path)
    samples = condition_recording(recording.samples, recording.sample_rate_hz, COMPACT)
    seen = looked_at.get((database, path.stem))
    is_copy = "icbhi_4khz" in path.parts
    return Sound(path.stem, database, samples, seen.marks if seen else (), _has_wheezes(path), is_copy)


def _has_wheezes(path: Path) -> bool:
    beside = path.with_suffix(".json")
    if beside.is_file():
        events = json.loads(beside.read_text(encoding="utf-8"))["event_annotation"]
        return any(event["type"] in WHEEZES for event in events)
    return any(cycle.wheeze for cycle in read_annotations(annotations_beside(path)))


def _example(fold: int, samples: Float32, wanted: Bools, counts: Bools) -> Example:
    return Example(fold, features_of(samples, initial_frames())[0], wanted, counts)


def _host(breath: Sequence[Sound], samples: int, rng: np.random.Generator) -> Float32:
    """Breath of another stethoscope, repeated to a length; 0: as long as it is."""
    sound = breath[int(rng.integers(len(breath)))]
    colour = coloured(sound.samples, rng, 6)
    return np.resize(colour, samples) if samples else colour


def _mixed(fold: int, sound: Float32, host: Float32, wanted: Bools, counts: Bools, rng: np.random.Generator) -> Example:
    """`sound` over `host`; frames in which it is not louder than the host do not count."""
    own, others = _levels(sound, len(wanted)), _levels(host, len(wanted))
    heard = own[wanted.any(axis=1)] if wanted.any() else own
    gain = np.sqrt(np.mean(host**2) / max(float(np.mean(heard**2)), 1e-12)) * 10 ** (rng.uniform(-6, 25) / 20)
    hidden = wanted.any(axis=1) & (own * gain < others)
    return _example(fold, np.asarray(sound * gain + host, np.float32), wanted, counts & ~hidden)


def _levels(samples: Float32, frames: int) -> Float32:
    """Root-mean-square level of each frame."""
    half = FRAME_SAMPLES // 2
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    centres = np.arange(frames) * HOP_SAMPLES
    start, end = np.maximum(centres - half, 0), np.minimum(centres + half, samples.size)
    mean_squares = (total[end] - total[start]) / np.maximum(end - start, 1)
    return np.asarray(np.sqrt(mean_squares + 1e-12), np.float32)
