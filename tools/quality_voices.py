"""Talk to be mixed into recordings: from files, or rendered by the speech synthesisers that are installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.audio.recording import read_recording

Voice = tuple[NDArray[np.float32], int]
"""Samples and their rate in hertz."""

SENTENCES = (
    "Please take a deep breath in, and now breathe out slowly through your mouth. Very good, once more, and then you "
    "can rest for a moment.",
    "I am going to listen to your back now. Tell me if anything hurts. The nurse will come with your medication in "
    "about ten minutes, all right?",
)
VOICES = {
    "tuning": ("flite:kal16", "flite:awb", "espeak-ng:en", "espeak-ng:de", "espeak-ng:fr+m3"),
    "held-out": ("flite:rms", "flite:slt", "espeak-ng:en-us+f3", "espeak-ng:es+f2", "espeak-ng:en-gb+m7"),
}
"""Men's and women's; flite's are made from recordings of speakers."""


def read_voices(paths: Sequence[Path], half: str) -> list[Voice]:
    """Speech from WAV or FLAC files, else the voices of that half as far as they can be rendered here."""
    if paths:
        return [_read(path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        return [_read(path) for voice in VOICES[half] for path in _render(voice, Path(folder))]


def _render(voice: str, folder: Path) -> Iterator[Path]:
    program, name = voice.split(":")
    if shutil.which(program) is None:
        return
    for index, sentence in enumerate(SENTENCES):
        path = folder / f"{program}_{name}_{index}.wav"
        options = ["-voice", name, "-t", sentence, "-o"] if program == "flite" else ["-v", name, sentence, "-w"]
        subprocess.run([program, *options, str(path)], check=True)
        yield path


def _read(path: Path) -> Voice:
    recording = read_recording(path)
    return recording.samples, recording.sample_rate_hz
