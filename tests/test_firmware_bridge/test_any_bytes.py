"""Whatever bytes a device sends: nothing is raised but what is told in a line, and the stream has no seams."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.any_bytes import ORDER, play, seeds

RUNS = 1500


@given(data=st.binary(max_size=800), reorder_frames=st.integers(0, 2))
def test_bytes_of_any_kind(data: bytes, reorder_frames: int) -> None:
    play(b"\0" + data, reorder_frames=reorder_frames)


@given(orders=st.lists(st.binary(min_size=13, max_size=60), max_size=25), reorder_frames=st.integers(0, 2))
def test_whole_frames_of_any_kind_in_any_order(orders: list[bytes], reorder_frames: int) -> None:
    play(b"\1" + b"".join(orders), reorder_frames=reorder_frames)


@given(
    frames=st.lists(st.tuples(st.integers(0, 200), st.sampled_from([0, 0x10, 0x20, 0x30])), max_size=40),
    reorder_frames=st.integers(0, 2),
)
def test_frames_of_sound_anywhere_in_the_stream(frames: list[tuple[int, int]], reorder_frames: int) -> None:
    """Lost, late, twice, far ahead: what comes out adds up."""
    orders = [ORDER.pack(0x41, number, 20 * number, 0, 20, 1, flags, 40) + bytes(range(40)) for number, flags in frames]
    play(b"\1" + b"".join(orders), reorder_frames=reorder_frames)


def test_the_fuzzers_seeds_reach_the_sound() -> None:
    assert [play(seed) for seed in seeds()][-1] == 400
    assert len(seeds()) > 10


def test_a_coverage_guided_fuzzer_finds_nothing(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="the fuzzer: pip install atheris")
    command = [sys.executable, "-m", "tools.fuzz_bridge", "--runs", str(RUNS), "--corpus", str(tmp_path)]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert f"number_of_executed_units: {RUNS}" in ran.stderr
