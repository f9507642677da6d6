"""What goes wrong with sound on its way to the classifier, done to a recording on purpose and by a stated amount."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock, block_from_channels
from edge.signal.conditioning import condition_recording
from edge.signal.resample import design_resampler, resample
from edge.signal.spec import COMPACT

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SOUND_CARD_HZ = 44100
DROPOUT_EVERY_S = 2.0
KNOCKS_PER_S = 2.0


@dataclass(frozen=True)
class Heard:
    """Sound as the device side gets it."""

    sample_rate_hz: int
    blocks: Sequence[AudioBlock]


Apply = Callable[[Float32, int, np.random.Generator], Heard]
"""From samples, float32 [n] at a rate in hertz, to what is heard of them."""


@dataclass(frozen=True)
class Damage:
    """One thing that goes wrong, at one level."""

    reason: str
    """The name under which quality should refuse it."""
    level: str
    is_bad: bool
    """Whether a person would call it bad; the other levels show where it begins to be told."""
    apply: Apply


def heard(samples: NDArray[np.floating], sample_rate_hz: int) -> Heard:
    """Undamaged."""
    return Heard(sample_rate_hz, [block_from_channels(np.asarray(samples, np.float32)[:, np.newaxis])])


def overdriven(by_db: float) -> Apply:
    """The loudest sample `by_db` above full scale."""
    return lambda samples, rate_hz, _: heard(samples / _peak(samples) * 10 ** (by_db / 20), rate_hz)


def unplugged(samples: Float32, rate_hz: int, rng: np.random.Generator) -> Heard:
    """An open input's own noise, 90 dB under full scale, in place of the sound."""
    return heard(10 ** (-90 / 20) * rng.standard_normal(samples.size), rate_hz)


def lost(for_s: float) -> Apply:
    """Every two seconds nothing arrives for `for_s`, and the source says so."""

    def apply(samples: Float32, rate_hz: int, _: np.random.Generator) -> Heard:
        every, gap = round(DROPOUT_EVERY_S * rate_hz), round(for_s * rate_hz)
        starts = range(0, samples.size - gap, every)
        blocks = [AudioBlock(samples[start + gap : start + every], lost_samples=gap) for start in starts]
        return Heard(rate_hz, blocks)

    return apply


def cut(for_s: float) -> Apply:
    """The same in a file: zeros where nothing arrived, and nobody says so."""

    def apply(samples: Float32, rate_hz: int, _: np.random.Generator) -> Heard:
        position_s = np.arange(samples.size) / rate_hz
        return heard(np.where(np.mod(position_s, DROPOUT_EVERY_S) < for_s, 0, samples), rate_hz)

    return apply


def offset(share: float) -> Apply:
    """All samples shifted by a share of full scale."""
    return lambda samples, rate_hz, _: heard(np.clip(samples + share, -1, 1), rate_hz)


def hum(level_db: float) -> Apply:
    """50 or 60 Hz, at most 0.1 Hz off, with three harmonics that fall off as 1 / n; beside the conditioned sound."""

    def apply(samples: Float32, rate_hz: int, rng: np.random.Generator) -> Heard:
        mains_hz = rng.choice([50, 60]) + rng.uniform(-0.1, 0.1)
        time_s = np.arange(samples.size) / rate_hz
        lines = [np.sin(2 * np.pi * (mains_hz * n * time_s + rng.random())) / n for n in range(1, 5)]
        return mixed(samples, np.sum(lines, axis=0), rate_hz, level_db)

    return apply


def rumble(level_db: float) -> Apply:
    """Noise under 30 Hz, so much louder than all of the recording; turned down where it would clip. The band-pass takes
    most of it away again.
    """

    def apply(samples: Float32, rate_hz: int, rng: np.random.Generator) -> Heard:
        noise = shaped_noise(samples.size, rate_hz, lambda hz: np.where((hz > 5) & (hz < 30), 1.0, 0.0), rng)
        together = samples + noise * np.std(samples) * 10 ** (level_db / 20)
        return heard(together / max(_peak(together), 1), rate_hz)

    return apply


def room(rate_hz: int) -> Apply:
    """A laptop's microphone in place of the stethoscope: pink noise from 80 Hz upwards, as loud as the breath."""

    def apply(samples: Float32, own_rate_hz: int, rng: np.random.Generator) -> Heard:
        size = round(samples.size / own_rate_hz * rate_hz)
        pink = shaped_noise(size, rate_hz, lambda hz: np.where(hz > 80, 1 / np.sqrt(np.maximum(hz, 1)), 0.0), rng)
        level = conditioned_rms(samples, own_rate_hz) / conditioned_rms(pink, rate_hz)
        return heard(pink * level, rate_hz)

    return apply


def talk(level_db: float, voices: Sequence[tuple[Float32, int]]) -> Apply:
    """One of the voices (samples and their rate) all through the recording, beside the conditioned sound."""

    def apply(samples: Float32, rate_hz: int, rng: np.random.Generator) -> Heard:
        voice, voice_rate_hz = voices[int(rng.integers(len(voices)))]
        spoken = at_rate(voice, voice_rate_hz, rate_hz)
        start = int(rng.integers(spoken.size))
        return mixed(samples, np.resize(np.roll(spoken, -start), samples.size), rate_hz, level_db)

    return apply


def knocks(peak: float) -> Apply:
    """Taps on the chest piece: 80 to 300 Hz that ring for 50 ms at most, and a click; `peak` 1 is full scale."""

    def apply(samples: Float32, rate_hz: int, rng: np.random.Generator) -> Heard:
        added = samples.astype(np.float64)
        for start in rng.integers(0, samples.size, round(KNOCKS_PER_S * samples.size / rate_hz)):
            tap = peak * _tap(rate_hz, rng)[: samples.size - start]
            added[start : start + tap.size] += tap
        return heard(np.clip(added, -1, 1), rate_hz)

    return apply


def mixed(samples: Float32, other: NDArray[np.floating], rate_hz: int, level_db: float) -> Heard:
    """`other` added, `level_db` over the recording in the band that conditioning keeps."""
    level = conditioned_rms(samples, rate_hz) / conditioned_rms(other, rate_hz) * 10 ** (level_db / 20)
    return heard(np.clip(samples + other * level, -1, 1), rate_hz)


def conditioned_rms(samples: NDArray[np.floating], rate_hz: int) -> float:
    """Level in the band that conditioning keeps."""
    return float(np.sqrt(np.mean(condition_recording(np.asarray(samples, np.float32), rate_hz, COMPACT) ** 2)) + 1e-12)


def shaped_noise(
    samples: int, rate_hz: int, gain: Callable[[Float64], NDArray[np.float64]], rng: np.random.Generator
) -> Float64:
    """Noise of RMS 1 whose amplitude follows `gain` of the frequency."""
    frequency_hz = np.asarray(np.fft.rfftfreq(samples, 1 / rate_hz), np.float64)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * gain(frequency_hz), samples)
    return np.asarray(noise / np.std(noise), dtype=np.float64)


def at_rate(voice: Float32, from_hz: int, to_hz: int) -> Float32:
    """Filtered on the way down; on the way up a straight line will do, since nothing above 2 kHz is looked at."""
    if to_hz <= from_hz:
        design = design_resampler(from_hz, to_hz)
        return resample(voice, design.initial_state(), design)[0]
    times_s = np.arange(round(voice.size / from_hz * to_hz)) / to_hz
    return np.interp(times_s, np.arange(voice.size) / from_hz, voice.astype(np.float64)).astype(np.float32)


def damages(voices: Sequence[tuple[Float32, int]]) -> list[Damage]:
    """All of them, mildest first within a kind; those with speech only where there are voices."""
    found = [
        *(Damage("clipping", f"{db} dB over full scale", db >= 20, overdriven(db)) for db in (6, 12, 20)),
        Damage("silence", "an open input at -90 dBFS", True, unplugged),
        *(Damage("gap", f"{s:g} s lost every 2 s", s >= 0.02, lost(s)) for s in (0.005, 0.02, 0.2)),
        *(Damage("gap", f"{s:g} s of zeros every 2 s", s >= 0.05, cut(s)) for s in (0.005, 0.05, 0.2)),
        *(Damage("dc", f"{share} of full scale", share >= 0.4, offset(share)) for share in (0.1, 0.2, 0.4)),
        *(Damage("hum", f"{db} dB over the sound", db >= 20, hum(db)) for db in (-12, -6, 0, 6, 12, 20, 26)),
        *(Damage("band", f"rumble, {db} dB over all", False, rumble(db)) for db in (0, 10, 20)),
        Damage("band", "a room, at 4 kHz", False, room(4000)),
        Damage("band", "a room, at 44.1 kHz", True, room(SOUND_CARD_HZ)),
        *(Damage("knock", f"2 a second, {peak} of full scale", peak >= 2, knocks(peak)) for peak in (0.5, 1, 2, 4)),
    ]
    if voices:
        found += [Damage("voice", f"{db} dB over the sound", db >= 0, talk(db, voices)) for db in (-18, -12, -6, 0, 6)]
    return found


def _peak(samples: NDArray[np.floating]) -> float:
    return float(np.abs(samples).max(initial=1e-9))


def _tap(rate_hz: int, rng: np.random.Generator) -> Float64:
    """Made at 4 kHz: knocks in the recordings, seen as spectrograms, are flat to 1.5 kHz, and not beyond the chest
    piece.
    """
    time_s = np.arange(round(0.2 * COMPACT.sample_rate_hz)) / COMPACT.sample_rate_hz
    ringing = np.exp(-time_s / rng.uniform(0.008, 0.025)) * np.sin(2 * np.pi * rng.uniform(80, 300) * time_s)
    tap = ringing + 0.5 * np.exp(-time_s / 0.002) * rng.standard_normal(time_s.size)
    at_s = np.arange(round(0.2 * rate_hz)) / rate_hz
    return np.asarray(np.interp(at_s, time_s, tap / np.abs(tap).max()), dtype=np.float64)
