"""Every bad input gets one clear line through the real command, and the rest of the work goes on."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.inputs import list_inputs
from edge.errors import AudioDeviceError

Breathing = Callable[..., NDArray[np.float32]]
EditBundle = Callable[[Callable[[dict[str, Any]], None]], Path]
RunCommand = Callable[..., Any]
WriteSound = Callable[..., Path]
RATE_HZ = 8000


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be scored and what must be said about it."""

    name: str
    said: str
    content: Callable[[bytes], bytes] | None
    """Made from the bytes of a good WAV file; None: there is no file."""


BAD_FILES = [
    BadFile("missing.wav", "no such file", None),
    BadFile("zero_bytes.wav", "empty (0 bytes)", lambda good: b""),
    BadFile("header_only.wav", "holds no sound", lambda good: good[:40] + bytes(4)),
    BadFile("truncated.wav", "cut off", lambda good: good[: len(good) // 2]),
    BadFile("text.wav", "not a WAV or FLAC file", lambda good: b"The patient breathes.\n" * 50),
    BadFile("noise.flac", "not a WAV or FLAC file", lambda good: bytes(range(256)) * 40),
    BadFile("cut_header.wav", "not a WAV or FLAC file", lambda good: good[:20]),
]


@pytest.fixture
def good(write_sound: WriteSound, breathing: Breathing) -> Path:
    return write_sound("good.wav", breathing(2), RATE_HZ)


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
def test_a_bad_file_is_one_line_and_the_good_one_beside_it_is_scored(
    run_command: RunCommand, good: Path, bad: BadFile
) -> None:
    path = good.with_name(bad.name)
    if bad.content is not None:
        path.write_bytes(bad.content(good.read_bytes()))
    ran = run_command("score", path, good, "--device", "meditron")
    assert ran.code == 1
    assert [result["source"] for result in ran.results] == [str(good)]
    (line,) = [line for line in ran.err.splitlines() if bad.name in line]
    assert line.strip().startswith(f"{path}: ")
    assert bad.said in line
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
def test_listening_to_a_bad_file_is_one_line(run_command: RunCommand, good: Path, bad: BadFile) -> None:
    path = good.with_name(bad.name)
    if bad.content is not None:
        path.write_bytes(bad.content(good.read_bytes()))
    ran = run_command("listen", "--device", "meditron", "--source", path, "--no-realtime")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[1:] == [ran.err.splitlines()[-1]]
    assert bad.said in ran.err.splitlines()[-1]


def test_a_cut_off_flac_file_gives_no_result_for_its_beginning(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    path = write_sound("cut.flac", breathing(20), RATE_HZ)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ran = run_command("score", path, "--device", "meditron")
    assert (ran.code, ran.results) == (1, [])
    (line,) = [line for line in ran.err.splitlines() if "cut.flac" in line]
    assert "copy it again" in line
    assert [(record["source"], record["error"]) for record in ran.of_kind("error")] == [(str(path), line.strip())]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_take_the_label_of_their_windows_only(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, value: float
) -> None:
    samples = np.tile(breathing(7), 3)
    samples[RATE_HZ : RATE_HZ + 5] = value
    ran = run_command("score", write_sound("a.wav", samples, RATE_HZ, "FLOAT"), "--device", "meditron", "--hop", "7")
    assert ran.code == 0
    first, second, third = ran.results
    assert first["label"] is None
    assert first["quality"]["reasons"] == [{"name": "non-finite", "measured": 5, "threshold": 0.0, "unit": "samples"}]
    assert second["quality"]["ok"]
    assert third["quality"]["ok"]
    assert "none 1 (non-finite 1)" in ran.err


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_format_gives_the_same_answer(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, subtype: str
) -> None:
    samples = 4 * breathing(7)
    expected = run_command("score", write_sound("r.wav", samples, RATE_HZ, "DOUBLE"), "--device", "meditron").results[0]
    ran = run_command("score", write_sound("a.wav", samples, RATE_HZ, subtype), "--device", "meditron")
    (result,) = ran.results
    assert result["label"] == expected["label"]
    tolerance = 0.05 if subtype == "PCM_U8" else 0.001
    assert result["probabilities"] == pytest.approx(expected["probabilities"], abs=tolerance)


def test_stereo_is_the_mean_of_its_channels(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing
) -> None:
    left, right = breathing(7), breathing(7, seed=1)
    mono = write_sound("mono.wav", (left + right) / 2, RATE_HZ, "FLOAT")
    stereo = write_sound("stereo.wav", np.stack([left, right], axis=1), RATE_HZ, "FLOAT")
    ran = run_command("score", mono, stereo, "--device", "meditron")
    assert ran.results[1]["probabilities"] == pytest.approx(ran.results[0]["probabilities"], abs=1e-3)


def test_an_unknown_stethoscope_is_answered_with_the_known_ones(run_command: RunCommand, good: Path) -> None:
    for ran in (
        run_command("listen", "--device", "stethomax", "--source", good),
        run_command("score", good, "--device", "stethomax"),
    ):
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        for name in ("stethomax", "akgc417l", "littc2se", "littmann3200", "meditron"):
            assert name in ran.err


def test_a_bundle_with_a_changed_byte_stops_the_run(
    run_command: RunCommand, good: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(tiny_bundle, folder)
    content = bytearray((folder / "fp32.onnx").read_bytes())
    content[100] ^= 0x10
    (folder / "fp32.onnx").write_bytes(content)
    ran = run_command("score", good, "--device", "meditron", "--model", folder)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "fp32.onnx: has sha256 " in ran.err


def test_a_bundle_for_other_features_stops_the_run_with_both_fingerprints(
    run_command: RunCommand, good: Path, edited_bundle: EditBundle
) -> None:
    folder = edited_bundle(lambda manifest: manifest.update(feature_fingerprint="00112233aabbccdd"))
    ran = run_command("listen", "--device", "meditron", "--source", good, "--model", folder)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "00112233aabbccdd" in ran.err
    assert ran.err.count("features") == 1


def test_a_folder_that_is_no_bundle_stops_the_run(run_command: RunCommand, good: Path, tmp_path: Path) -> None:
    ran = run_command("score", good, "--device", "meditron", "--model", tmp_path)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"no model for meditron in {tmp_path}" in ran.err


def test_an_input_that_does_not_exist_is_answered_with_those_that_do(run_command: RunCommand, sound_input: Any) -> None:
    ran = run_command("listen", "--device", "meditron", "--source", "mic:nowhere")
    assert (ran.code, ran.out) == (2, "")
    line = ran.err.splitlines()[-1]
    assert line.startswith("respire-edge: mic:nowhere: ")
    assert sound_input.input_name in line


def test_no_microphone_is_one_line(run_command: RunCommand) -> None:
    try:
        if list_inputs():
            pytest.skip("this machine has a sound input of its own")
        said = "no sound input on this machine"
    except AudioDeviceError as error:
        said = str(error)
    ran = run_command("listen", "--device", "meditron")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith(f"respire-edge: {said}")


def test_tensorrt_is_refused_before_anything_is_opened(run_command: RunCommand, good: Path) -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("this machine has TensorRT")
    ran = run_command("listen", "--device", "meditron", "--source", good, "--engine", "tensorrt")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("respire-edge: TensorRT's Python module is not installed; ")
