"""Coughs and voices are heard in a stream, however it is cut, at any gain, and breath and wheezes are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.audio.lung_sounds import simulate_cycle
from edge.audio.recording import read_recording
from edge.coughs_and_voices.features import SAMPLE_RATE_HZ, features_of, initial_frames
from edge.coughs_and_voices.hearing import (
    DECIDED_AFTER_S,
    Hearing,
    extend_hearing,
    extend_hearing_with_silence,
    finish_hearing,
    heard_between,
    heard_by,
    hearing_from,
    take_coughs,
)
from edge.intake import Intake
from edge.labels import LABELS
from edge.signal.conditioning import condition_recording
from edge.signal.spec import COMPACT

Float32 = NDArray[np.float32]
SECONDS = 12


def breath(seed: int = 0, label: str = "normal") -> Float32:
    rng = np.random.default_rng(seed)
    sound = np.concatenate([simulate_cycle(label, SAMPLE_RATE_HZ, rng) for _ in range(4)])[: SECONDS * SAMPLE_RATE_HZ]
    return condition_recording(sound.astype(np.float32), SAMPLE_RATE_HZ, COMPACT)


def talk(pitch_hz: float = 120, level: float = 0.1) -> Float32:
    """Syllables of gliding harmonics under breath, from the fifth second on."""
    time_s = np.arange(SECONDS * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    phase = np.cumsum(pitch_hz * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time_s))) / SAMPLE_RATE_HZ
    pulses = np.sum([np.cos(2 * np.pi * n * phase) / n for n in range(1, 9)], axis=0)
    syllables = (np.mod(time_s, 0.4) < 0.25) * np.sin(np.pi * np.mod(time_s, 0.4) / 0.25) * (time_s > 5)
    sound = breath()
    sound += (level * pulses * syllables)[: sound.size].astype(np.float32)
    return sound


def hear(sound: Float32) -> Hearing:
    return finish_hearing(extend_hearing(Hearing(), sound))


@pytest.mark.parametrize("pitch_hz", [100, 120, 180, 220])
def test_talk_is_a_voice(pitch_hz: float) -> None:
    hearing = hear(talk(pitch_hz))
    assert heard_between(hearing, 0, 4.5).voice_s == 0
    assert heard_between(hearing, 5, SECONDS).voice_s > 1


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("seed", range(3))
def test_simulated_breath_is_no_voice_and_no_cough(label: str, seed: int) -> None:
    heard = heard_between(hear(breath(seed, label)), 0, SECONDS)
    assert heard.voice_s <= 0.1
    assert heard.cough_s <= 0.1


@pytest.mark.parametrize("step", [1, 399, 1000, 8000])
def test_how_a_stream_is_cut_changes_nothing(step: int) -> None:
    sound = talk()[: 6 * SAMPLE_RATE_HZ if step == 1 else None]
    hearing = Hearing()
    for start in range(0, sound.size, step):
        hearing = extend_hearing(hearing, sound[start : start + step])
    whole, cut = hear(sound), finish_hearing(hearing)
    np.testing.assert_array_equal(cut.decided, whole.decided)
    assert cut.coughs == whole.coughs


def test_the_gain_changes_no_feature() -> None:
    sound = breath() + (1e-3 * np.random.default_rng(1).standard_normal(breath().size)).astype(np.float32)
    quiet, loud = (features_of(gain * sound, initial_frames())[0] for gain in (np.float32(0.5), np.float32(2)))
    np.testing.assert_allclose(quiet, loud, atol=0.05)


def test_silence_without_computing_is_silence_computed() -> None:
    sound, silence = talk(), np.zeros(10 * SAMPLE_RATE_HZ, np.float32)
    before = extend_hearing(Hearing(), np.concatenate([sound, silence[: SAMPLE_RATE_HZ // 2]]))
    skipped = extend_hearing_with_silence(before, silence.size)
    computed = extend_hearing(before, silence)
    assert skipped.frames.frames == computed.frames.frames
    assert skipped.frames.pending.size == computed.frames.pending.size
    after = [finish_hearing(extend_hearing(hearing, sound)) for hearing in (skipped, computed)]
    np.testing.assert_array_equal(after[0].decided, after[1].decided)


def test_what_is_said_of_a_window_does_not_depend_on_what_came_later() -> None:
    sound = talk()
    by_then = extend_hearing(Hearing(), sound[: 8 * SAMPLE_RATE_HZ])
    assert heard_by(by_then, 4, 8) == heard_by(hear(sound), 4, 8)
    assert heard_by(by_then, 4, 8).voice_s <= heard_between(hear(sound), 4, 8).voice_s


def test_what_is_forgotten_changes_no_later_answer() -> None:
    hearing = hear(talk())
    assert heard_between(hearing_from(hearing, 5.3), 6, 9) == heard_between(hearing, 6, 9)
    assert len(hearing_from(hearing, 5.3).decided) < len(hearing.decided)


def test_nothing_is_heard_in_a_moment() -> None:
    assert heard_by(hear(talk()), 7, 7 + DECIDED_AFTER_S / 2).voice_s == 0


def hear_recording(path: Path) -> tuple[Hearing, float]:
    """Through a device's intake, in blocks of a quarter of a second."""
    recording = read_recording(path)
    intake = Intake(recording.sample_rate_hz, COMPACT)
    length = recording.sample_rate_hz // 4
    for start in range(0, recording.samples.size, length):
        for _ in intake.push(AudioBlock(recording.samples[start : start + length])):
            pass
    intake.finish()
    return intake._hearing, recording.samples.size / recording.sample_rate_hz


def test_real_coughs_are_counted_and_real_talk_is_heard(shared_data: Path) -> None:
    hearing, duration_s = hear_recording(shared_data / "icbhi/audio_and_txt_files/139_1b1_Pr_sc_Litt3200.flac")
    coughs, _ = take_coughs(hearing)
    marked_s = [1.14, 2.62, 4.27, 6.20, 8.68, 10.54]
    assert [round(cough.start_s, 1) for cough in coughs] == pytest.approx(marked_s, abs=0.15)
    assert heard_between(hearing, 11.6, duration_s).voice_s > 1.5
    assert heard_between(hearing, 0, 1).voice_s == 0


@pytest.mark.parametrize(
    "name", ["130_3p4_Al_mc_AKGC417L", "135_2b3_Pl_mc_LittC2SE", "188_1b1_Pl_sc_Meditron", "122_2b2_Tc_mc_LittC2SE"]
)
def test_recordings_without_either_are_let_through(shared_data: Path, name: str) -> None:
    hearing, duration_s = hear_recording(shared_data / f"icbhi/audio_and_txt_files/{name}.flac")
    heard = heard_between(hearing, 0, duration_s)
    assert (heard.cough_s, heard.voice_s) < (0.1, 0.1)
    assert take_coughs(hearing)[0] == ()
