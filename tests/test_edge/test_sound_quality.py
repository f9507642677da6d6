"""Simulated breathing is fit for its stethoscope, and each damage done to it is refused by its own name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.audio.block import AudioBlock, block_from_channels
from edge.audio.lung_sounds import simulate_cycle
from edge.hum import maybe_hum_db
from edge.intake import Intake
from edge.labels import LABELS
from edge.profiles import QualityLimits, load_profile
from edge.quality import Quality, judge_quality
from edge.signal.spec import COMPACT

Float32 = NDArray[np.float32]
RATE_HZ = 16000
LITTMANN = load_profile("littmann3200", {}).quality
MEDITRON = load_profile("meditron", {}).quality
TIME_S = np.arange(round(10.5 * RATE_HZ)) / RATE_HZ


def breath(label: str, seed: int = 1, rate_hz: int = RATE_HZ) -> Float32:
    rng = np.random.default_rng(seed)
    return np.concatenate([simulate_cycle(label, rate_hz, rng) for _ in range(3)])


def judge(
    blocks: Sequence[AudioBlock] | NDArray[np.floating],
    limits: QualityLimits = LITTMANN,
    rate_hz: int = RATE_HZ,
    length_s: float = 7.0,
) -> Quality:
    """The verdict on the sound's beginning."""
    if not isinstance(blocks, Sequence):
        blocks = [block_from_channels(np.asarray(blocks, np.float32)[:, np.newaxis])]
    intake = Intake(rate_hz, COMPACT)
    sound = np.concatenate([*(piece for block in blocks for piece in intake.push(block)), intake.finish()])
    return judge_quality(sound[: round(length_s * 4000)], 4000, intake.evidence(0, length_s), limits)


def names(quality: Quality) -> list[str]:
    return [reason.name for reason in quality.reasons]


def hum(mains_hz: float, amplitude: float) -> NDArray[np.float64]:
    return np.asarray(
        np.sum([amplitude / n * np.sin(2 * np.pi * n * mains_hz * TIME_S + n) for n in (1, 2, 3)], axis=0)
    )


def voice(pitch_hz: float, amplitude: float) -> NDArray[np.float64]:
    """Harmonics that fall off as a voice's do, on a pitch that moves, in syllables of a fifth of a second."""
    phase = np.cumsum(pitch_hz * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * TIME_S))) / RATE_HZ
    pulses = np.sum([np.cos(2 * np.pi * n * phase) / n for n in range(1, int(1600 / pitch_hz))], axis=0)
    syllables = (np.mod(TIME_S, 0.3) < 0.2) * np.sin(np.pi * np.mod(TIME_S, 0.3) / 0.2)
    return np.asarray(amplitude * pulses / np.std(pulses) * syllables)


def taps(amplitude: float) -> NDArray[np.float64]:
    since_s = np.mod(TIME_S + 0.2, 0.5)
    return np.asarray(amplitude * np.exp(-since_s / 0.02) * np.sin(2 * np.pi * 350 * since_s))


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("device", ["littmann3200", "littc2se", "meditron", "akgc417l"])
@pytest.mark.parametrize("rate_hz", [4000, 44100])
def test_crackles_and_wheezes_are_fit(label: str, device: str, rate_hz: int) -> None:
    sound = breath(label, seed=2, rate_hz=rate_hz)
    assert names(judge(sound, load_profile(device, {}).quality, rate_hz)) == []


DAMAGES: dict[str, tuple[str, Callable[[Float32], NDArray[np.floating]]]] = {
    "an offset": ("dc", lambda sound: sound + 0.3),
    "hum of 50 Hz": ("hum", lambda sound: sound + hum(50.06, 0.05)),
    "hum of 60 Hz": ("hum", lambda sound: sound + hum(59.94, 0.05)),
    "a low voice": ("voice", lambda sound: sound + voice(110, 0.03)),
    "a high voice": ("voice", lambda sound: sound + voice(210, 0.03)),
    "taps": ("knock", lambda sound: sound + taps(0.9)),
    "holes": ("gap", lambda sound: np.where(np.mod(TIME_S, 3) < 0.2, 0, sound)),
    "one sample held": ("gap", lambda sound: np.where(np.mod(TIME_S, 6) < 0.03, sound[RATE_HZ], sound)),
    "little level": ("silence", lambda sound: sound * 1e-3),
    "overdrive": ("clipping", lambda sound: 8 * sound),
    "treble": ("band", lambda sound: sound + 0.3 * np.sin(2 * np.pi * 5000 * TIME_S)),
    "a tone too high": ("band", lambda sound: sound + 0.03 * np.sin(2 * np.pi * 1300 * TIME_S)),
    "rumble": ("band", lambda sound: sound + 0.7 * np.sin(2 * np.pi * 15 * TIME_S)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_refused_by_its_own_name_alone(damage: str) -> None:
    reason, damaged = DAMAGES[damage]
    quality = judge(damaged(breath("normal")))
    found = set(names(quality))
    # A syllable, and sound behind a hole, may begin as a cough does.
    assert found - ({"cough"} if reason in ("voice", "gap") else set()) == {reason}
    assert all(found.measured != found.threshold and found.unit for found in quality.reasons)


@pytest.mark.parametrize(
    ("sound", "reason", "measured", "unit"),
    [
        (breath("normal") + 0.3, "dc", 0.3, "share of full scale"),
        (np.where(TIME_S < 0.7, 0, breath("normal")), "gap", 0.1, "share"),
        (0.1 * np.sin(2 * np.pi * 5000 * TIME_S), "band", 1.0, "share above 2 kHz"),
    ],
    ids=["dc", "gap", "band"],
)
def test_what_was_measured_is_told_in_its_unit(
    sound: NDArray[np.floating], reason: str, measured: float, unit: str
) -> None:
    (found,) = [found for found in judge(sound).reasons if found.name == reason][:1]
    assert found.measured == pytest.approx(measured, rel=0.05)
    assert found.unit == unit


def test_hum_is_measured_beside_the_rest_of_the_sound() -> None:
    noise = np.random.default_rng(3).standard_normal(28000)
    for level_db in (-6.0, 0.0, 6.0):
        line = np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * 150.1 * np.arange(28000) / 4000)
        measured = maybe_hum_db((0.01 * (noise + line)).astype(np.float32), 4000)
        assert measured == pytest.approx(level_db, abs=1)


def test_a_wheeze_through_a_harmonic_of_the_mains_is_no_hum() -> None:
    wheeze = 0.05 * np.sin(2 * np.pi * np.cumsum(255 - 5 * np.mod(TIME_S, 3.5)) / RATE_HZ) * (np.mod(TIME_S, 3.5) > 0.5)
    assert names(judge(breath("normal") + wheeze)) == []


@pytest.mark.parametrize("reason", ["voice", "hum", "knock", "dc", "band"])
def test_a_profile_without_a_limit_makes_no_check(reason: str) -> None:
    damages = [damaged for name, damaged in DAMAGES.values() if name == reason]
    for damaged in damages:
        assert names(judge(damaged(breath("normal")), QualityLimits(-60.0, 0.01))) == []


@settings(max_examples=12, deadline=None)
@given(gain_db=st.floats(-6, 6), label=st.sampled_from(LABELS), damage=st.sampled_from(["none", "hum", "voice", "gap"]))
def test_a_few_decibels_more_or_less_change_no_verdict(gain_db: float, label: str, damage: str) -> None:
    sound: NDArray[np.floating] = breath(label)
    if damage == "gap":
        sound = np.where(np.mod(TIME_S, 3) < 0.2, 0, sound)
    elif damage != "none":
        sound = sound + {"hum": hum(50, 0.05), "voice": voice(110, 0.03)}[damage]
    either, other = (names(judge(0.4 * gain * sound)) for gain in (10 ** (gain_db / 20), 1))
    if damage == "gap":  # what is heard where it breaks off may be at the limit
        either, other = ([name for name in found if name not in ("cough", "voice")] for found in (either, other))
    assert either == other


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 10 * RATE_HZ), max_size=12).map(sorted), damage=st.integers(0, 3))
def test_how_the_stream_is_cut_changes_no_measurement(cuts: list[int], damage: int) -> None:
    sound = (breath("both") + [hum(50, 0.05), voice(110, 0.03), taps(0.9), 0.3 + 0 * TIME_S][damage]).astype(np.float32)
    sound[20000:23000] = 0
    whole = judge(sound)
    blocks = [block_from_channels(part[:, np.newaxis]) for part in np.split(sound, cuts)]
    streamed = judge(blocks)
    assert names(streamed) == names(whole)
    for one, other in zip(streamed.reasons, whole.reasons, strict=True):
        frames_s = 0.05 if one.unit == "s" else 0  # rounding may turn a frame at the limit
        assert one.measured == pytest.approx(other.measured, rel=1e-3, abs=1e-5 + frames_s)


@pytest.mark.parametrize("length", [1, 40, 63, 64, 255, 256, 3999, 4000, 28001, 61234])
def test_any_length_is_judged(length: int) -> None:
    sound = breath("normal", rate_hz=4000)
    long_enough = np.resize(sound, length)
    quality = judge_quality(long_enough, 4000, Intake(4000, COMPACT).evidence(0, length / 4000), MEDITRON)
    assert {reason.name for reason in quality.reasons} <= {"silence"}


def test_a_long_cycle_is_refused_for_its_worst_part() -> None:
    sound = np.tile(breath("normal"), 6)
    assert names(judge(sound, length_s=63)) == []
    sound[50 * RATE_HZ :][: TIME_S.size] += voice(110, 0.03).astype(np.float32)
    assert names(judge(sound, length_s=63)) == ["voice"]
