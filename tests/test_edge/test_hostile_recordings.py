"""Recordings made to do harm: each costs one line, and neither memory, time nor the recordings beside it."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.audio.recording import RecordingSource
from edge.errors import RecordingError
from tools.hostile_recordings import PLAYABLE, UNREADABLE, floats, wav, write_hostile_recordings

if TYPE_CHECKING:
    from tests.test_edge.conftest import Breathing, RunCommand, WriteSound

soundfile = pytest.importorskip("soundfile")

MEMORY_BYTES = 16_000_000
"""What reading any file may take: a few copies of one block."""
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Where headers are most easily misread."""


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_recording_costs_one_line_and_little_memory(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(UNREADABLE[kind]())
    with bounded_memory(), pytest.raises(RecordingError) as refusal:
        heard_samples(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("kind", PLAYABLE)
def test_what_sounds_strange_is_read_as_finite_sound(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(PLAYABLE[kind]())
    with bounded_memory():
        assert heard_samples(path) > 0


def test_a_folder_full_of_them_is_scored_to_its_end(
    run_command: RunCommand, write_sound: WriteSound, breathing: Breathing, tmp_path: Path
) -> None:
    hostile = write_hostile_recordings(tmp_path)
    good = write_sound("good.wav", breathing(9.0))
    ran = run_command("score", tmp_path, "--device", "meditron", "--output", tmp_path / "out.jsonl")
    assert ran.code == 1
    assert len(UNREADABLE) >= 40
    assert f"not scored: {len(UNREADABLE)}\n" in ran.err
    assert [kind for kind in UNREADABLE if f"  {hostile[kind]}: " not in ran.err] == []
    assert str(good) in (tmp_path / "out.jsonl").read_text()


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_no_change_to_a_file_does_more_than_refuse_it(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(data.draw(st.sampled_from([wav(), wav(floats(0.5), tag=3, bits=32), a_flac_file()]), "file"))
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        damage(content, data)
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    path.write_bytes(content)
    with bounded_memory(), suppress(RecordingError):
        heard_samples(path)


def damage(content: bytearray, data: st.DataObject) -> None:
    """One more change: a number, a byte, a cut, something too many, mostly in the header."""
    near = data.draw(st.sampled_from([48, 100, len(content)]), "near")
    at = data.draw(st.integers(0, min(near, len(content))), "at")
    match data.draw(st.sampled_from(["number", "bytes", "cut", "hole"]), "kind"):
        case "number":
            content[at : at + 4] = data.draw(st.sampled_from(NUMBERS), "number").to_bytes(4, "little")
        case "bytes":
            content[at:at] = data.draw(st.binary(max_size=20), "bytes")
        case "cut":
            del content[at:]
        case _:
            del content[at : at + 10]


def a_flac_file() -> bytes:
    written = io.BytesIO()
    soundfile.write(written, np.sin(np.arange(8000) / 5) / 2, 8000, format="FLAC", subtype="PCM_16")
    return written.getvalue()


def heard_samples(path: Path) -> int:
    with RecordingSource(path) as source:
        return sum(block.samples.size for block in source.blocks() if np.isfinite(block.samples).all())


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Fails where more than `MEMORY_BYTES` of Python's and NumPy's memory are in use at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()
