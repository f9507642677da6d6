"""Cutting recordings into conditioned cycles."""

from pathlib import Path

import numpy as np
import pytest

from edge.audio.recording import read_recording
from edge.errors import RecordingError
from edge.signal.conditioning import condition_recording
from edge.signal.spec import COMPACT
from train.cycles import cut_recording, load_cycles
from train.errors import DatasetError
from train.icbhi import read_icbhi


def test_a_cycle_is_its_stretch_of_the_recording_conditioned_as_a_whole(icbhi_folder: Path) -> None:
    recording = read_icbhi(icbhi_folder)[1]
    sound = read_recording(recording.audio_path)
    whole = condition_recording(sound.samples, sound.sample_rate_hz, COMPACT)
    second = cut_recording(recording, COMPACT)[1]
    np.testing.assert_array_equal(second.samples, whole[6000:12000])
    assert (second.label, second.index, second.patient, second.device) == (2, 1, "102", "Meditron")


def test_cycles_come_in_the_order_of_the_recordings(icbhi_folder: Path) -> None:
    cycles = load_cycles(read_icbhi(icbhi_folder), COMPACT)
    assert len(cycles) == 32
    assert [(cycle.patient, cycle.index) for cycle in cycles] == sorted(
        (cycle.patient, cycle.index) for cycle in cycles
    )


def one_recording(folder: Path, audio: bytes, end_s: float) -> Path:
    (folder / "101_1b1_Al_sc_Litt3200.wav").write_bytes(audio)
    (folder / "101_1b1_Al_sc_Litt3200.txt").write_text(f"0\t{end_s}\t0\t0\n", encoding="utf-8")
    return folder


def six_seconds(icbhi_folder: Path) -> bytes:
    return (icbhi_folder / "audio_and_txt_files" / "101_1b1_Al_sc_Litt3200.wav").read_bytes()


def test_an_annotation_past_the_end_is_refused_with_both_times(icbhi_folder: Path, tmp_path: Path) -> None:
    (recording,) = read_icbhi(one_recording(tmp_path, six_seconds(icbhi_folder), end_s=6.5))
    with pytest.raises(DatasetError, match=r"lasts 6\.000 s, but an annotation ends at 6\.500 s"):
        cut_recording(recording, COMPACT)


def test_a_mark_just_past_the_end_is_let_pass(icbhi_folder: Path, tmp_path: Path) -> None:
    (recording,) = read_icbhi(one_recording(tmp_path, six_seconds(icbhi_folder), end_s=6.2))
    (cycle,) = cut_recording(recording, COMPACT)
    assert 24000 <= cycle.samples.size <= 24800


def test_a_file_that_is_no_sound_is_refused_by_name(tmp_path: Path) -> None:
    (recording,) = read_icbhi(one_recording(tmp_path, b"not sound at all", end_s=1.0))
    with pytest.raises(RecordingError, match=r"101_1b1_Al_sc_Litt3200\.wav"):
        load_cycles([recording], COMPACT)
