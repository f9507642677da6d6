"""The detector of coughs and voices as it is fitted, and what it is fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from edge.coughs_and_voices.detector import COUGH, FRAMES_AFTER, FRAMES_BEFORE, ONSET, VOICE, likelihoods, read_detector
from edge.coughs_and_voices.features import FEATURES
from train.sound_marks.examples import Example, Sound, coloured, frames_in, wanted_of
from train.sound_marks.fitting import Network, _detector, fit, write_detector
from train.sound_marks.marks import Mark
from train.sound_marks.talk import synthetic_talk


def test_the_device_computes_the_network_that_was_fitted(tmp_path: Path) -> None:
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    network = Network(*(rng.uniform(0.5, 1, (2, FEATURES)).astype(np.float32)))
    network.eval()
    features = rng.standard_normal((100, FEATURES)).astype(np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(features)[None]))[0].numpy()
    write_detector(_detector(network), tmp_path / "weights.npz")
    given = likelihoods(features, read_detector(tmp_path / "weights.npz"))
    assert given.shape == (100 - FRAMES_BEFORE - FRAMES_AFTER, 3)
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_a_seed_gives_the_same_detector() -> None:
    rng = np.random.default_rng(4)
    examples = [
        Example(0, rng.standard_normal((250, FEATURES)).astype(np.float32), wanted, np.ones(250, np.bool_))
        for wanted in (np.ones((250, 3), np.bool_), np.zeros((250, 3), np.bool_))
    ]
    first, second = fit(examples, 2, seed=1), fit(examples, 2, seed=1)
    for one, other in zip(first.layers, second.layers, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_marks_become_frames_with_the_beginning_of_each_cough() -> None:
    marks = [Mark(1.0, 1.5, "cough"), Mark(2.0, 2.5, "cry"), Mark(3.0, 3.2, "unsure")]
    wanted, counts = wanted_of(marks, 200)
    assert np.flatnonzero(wanted[:, COUGH]).tolist() == list(range(50, 75))
    assert np.flatnonzero(wanted[:, VOICE]).tolist() == list(range(100, 125))
    assert 49 <= np.flatnonzero(wanted[:, ONSET]).min() <= 51
    assert not counts[150:160].any()
    assert counts[:140].all()


def test_a_patient_is_in_one_fold_with_every_stethoscope_and_with_the_same_sound() -> None:
    def fold(name: str) -> int:
        return Sound(name, "icbhi", np.zeros(0, np.float32), ()).fold

    assert fold("218_1p1_Ar_sc_Litt3200") == fold("218_1b1_Ar_sc_Meditron")
    assert fold("124_1b1_Ll_sc_Litt3200") == fold("175_1b1_Ll_sc_Litt3200")
    assert fold("109_1b1_Ll_sc_Litt3200") != fold("113_1b1_Ll_sc_Litt3200")


def test_a_colour_changes_a_sound_by_ten_decibels_at_most() -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(8000).astype(np.float32)
    change = np.abs(np.fft.rfft(coloured(sound, rng)))[600:] / np.abs(np.fft.rfft(sound))[600:]
    assert np.abs(20 * np.log10(change)).max() < 10.1


def test_synthetic_talk_is_silent_between_its_syllables() -> None:
    talk, voiced = synthetic_talk(40_000, np.random.default_rng(1))
    assert talk.shape == voiced.shape == (40_000,)
    assert 0.2 < voiced.mean() < 0.95
    assert np.std(talk[~voiced]) < 0.2 * np.std(talk[voiced])
    assert frames_in(talk) == 500 - 1
