"""What is no recording, or no whole one, gets one line that says what, where and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.audio.recording import RecordingSource, read_recording
from edge.audio.source import open_source
from edge.errors import EdgeError, RecordingError, UsageError

soundfile = pytest.importorskip("soundfile")


def refusal(path: Path) -> str:
    """The one line with which reading `path` ends."""
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def noise() -> NDArray[np.float64]:
    """Two seconds at 44.1 kHz that do not compress."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, 88_200)


def test_a_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.wav") == "no such file; check the path"


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "not a file; give a WAV or FLAC file"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert refusal(tmp_path / "pipe.wav") == "not a file; give a WAV or FLAC file"


@pytest.mark.parametrize("name", ["empty.wav", "empty.flac"])
def test_a_file_of_0_bytes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert refusal(tmp_path / name) == "empty (0 bytes); record or copy it again"


def test_a_file_with_a_header_and_no_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(0), 4000)
    assert refusal(tmp_path / "silence.wav") == "holds no sound (0 samples); record it again"


@pytest.mark.parametrize("name", ["text.wav", "text.flac", "text.raw", "text"])
def test_a_file_that_is_no_sound(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("patient 101, posterior left\n" * 20)
    assert refusal(tmp_path / name) == "not a WAV or FLAC file; convert it to one, for example with ffmpeg"


def test_bytes_of_chance(tmp_path: Path) -> None:
    (tmp_path / "chance.wav").write_bytes(np.random.default_rng(5).bytes(5000))
    assert refusal(tmp_path / "chance.wav") == "not a WAV or FLAC file; convert it to one, for example with ffmpeg"


@pytest.mark.parametrize("kept_bytes", [4, 12, 30])
def test_a_wav_file_cut_off_inside_its_header(kept_bytes: int, noise: NDArray[np.float64], tmp_path: Path) -> None:
    cut_off(tmp_path / "cut.wav", noise, kept_bytes)
    assert refusal(tmp_path / "cut.wav") == "not a WAV or FLAC file; convert it to one, for example with ffmpeg"


def test_a_wav_file_cut_off_inside_its_sound(noise: NDArray[np.float64], tmp_path: Path) -> None:
    cut_off(tmp_path / "cut.wav", noise, 44 + 2 * 22_050)
    assert refusal(tmp_path / "cut.wav") == "cut off, the last 75.0% of its sound is missing; copy it again"


@pytest.mark.parametrize("kept_share", [0.3, 0.9])
def test_a_flac_file_cut_off_inside_its_sound(kept_share: float, noise: NDArray[np.float64], tmp_path: Path) -> None:
    cut_off(tmp_path / "cut.flac", noise, kept_share)
    assert refusal(tmp_path / "cut.flac") == "cut off, its last sound is missing; copy it again"


def cut_off(path: Path, sound: NDArray[np.float64], kept: float) -> None:
    """Write `sound` and keep so many bytes, or, below 1, such a share of them."""
    soundfile.write(path, sound, 44_100, subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])


def test_a_flac_file_with_a_damaged_middle(noise: NDArray[np.float64], tmp_path: Path) -> None:
    path = tmp_path / "damaged.flac"
    soundfile.write(path, noise, 44_100)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith("damaged after ")
    assert message.endswith("; copy it again")


def test_a_flac_file_whose_recorder_never_wrote_the_length(tmp_path: Path) -> None:
    path = tmp_path / "stream.flac"
    soundfile.write(path, np.zeros(8000), 4000)
    content = bytearray(path.read_bytes())
    # STREAMINFO starts at byte 8; its last 36 bits before the checksum are the number of samples.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert refusal(path) == "its header announces no length; write it anew, for example with: flac -d"


@pytest.mark.parametrize("rate_hz", [3999, 48_001, 96_000])
def test_a_sample_rate_outside_what_the_features_are_specified_for(rate_hz: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "rate.wav", np.zeros(1000), rate_hz)
    assert refusal(tmp_path / "rate.wav").startswith(
        f"sample rate {rate_hz} Hz is outside 4000 to 48000 Hz; resample it"
    )


def test_another_sound_format(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.ogg", np.zeros(8000), 8000)
    assert refusal(tmp_path / "sound.ogg") == "not a WAV or FLAC file; convert it to one, for example with ffmpeg"


def test_a_file_without_permission_to_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "locked.wav", np.zeros(4000), 4000)
    (tmp_path / "locked.wav").chmod(0)
    user = os.geteuid()
    if user == 0:
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        os.seteuid(65534)
    try:
        message = refusal(tmp_path / "locked.wav")
    finally:
        os.seteuid(user)
    assert message == "cannot be read (Permission denied); check its permissions"


def test_a_refused_file_is_not_left_open(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "rate.wav", np.zeros(1000), 96_000)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(RecordingError):
            RecordingSource(tmp_path / "rate.wav")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_kind_of_source_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match=r"^source rtsp://10\.0\.0\.7: no such kind of source; give a file, demo, mic"):
        open_source("rtsp://10.0.0.7", realtime=True)


def test_every_refusal_is_an_edge_error() -> None:
    assert issubclass(RecordingError, EdgeError)
    assert issubclass(UsageError, EdgeError)
