"""The tool behind the quality limits' figures, on simulated recordings whose faults are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.audio.lung_sounds import CYCLE_S, simulate_cycle

soundfile = pytest.importorskip("soundfile")
RATE_HZ = 4000


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Three patients; the second, for measuring, has one cycle with hum, the third is for tuning again."""
    for patient in (101, 102, 103):
        rng = np.random.default_rng(patient)
        sound = np.concatenate([simulate_cycle("normal", RATE_HZ, rng) for _ in range(4)])
        if patient == 102:
            last = np.arange(round(3 * CYCLE_S * RATE_HZ), sound.size)
            sound[last] += (0.05 * np.sin(2 * np.pi * 50 * last / RATE_HZ)).astype(np.float32)
        soundfile.write(tmp_path / f"{patient}_1b1_Al_sc_Litt3200.flac", sound, RATE_HZ)
        lines = (f"{index * CYCLE_S}\t{(index + 1) * CYCLE_S}\t0\t0\n" for index in range(4))
        (tmp_path / f"{patient}_1b1_Al_sc_Litt3200.txt").write_text("".join(lines))
    return tmp_path


def run(repository: Path, *arguments: object) -> list[list[str]]:
    """The cells of each line after the header."""
    command = [sys.executable, "-m", "tools.measure_quality", *map(str, arguments)]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60, check=True)
    return [line.strip("| ").split(" | ") for line in ran.stdout.splitlines() if line]


def test_a_refused_cycle_is_counted_and_listed_by_its_reason(repository: Path, recordings: Path) -> None:
    rows = run(repository, "--data", recordings, "--refused")[2:]
    assert {row[0] for row in rows} == {"102_1b1_Al_sc_Litt3200"}
    assert [row[2].split()[0] for row in rows if row[1] == "10.5-14.0"] == ["hum"]
    assert not any(row[1].startswith("0.0-") for row in rows)


def test_damages_are_counted_as_passed_or_named(repository: Path, recordings: Path) -> None:
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    voice = np.sum([np.cos(2 * np.pi * n * 115 * time_s) / n for n in range(1, 14)], axis=0) * (time_s % 0.3 < 0.2)
    soundfile.write(recordings.parent / "voice.wav", 0.1 * voice, RATE_HZ)
    rows = run(repository, "--data", recordings, "--speech", recordings.parent / "voice.wav")
    assert rows[2][:3] == ["littmann3200", "1", "1 of 4 (25.0%)"]
    assert rows[2][4].startswith("hum 1 ")
    damaged = {(row[0], row[1]): row[3].strip(" |") for row in rows[6:]}
    assert damaged["clipping", "20 dB over full scale"] == "0.0%, named 100.0%"
    assert damaged["gap", "0.2 s of zeros every 2 s"] == "0.0%, named 100.0%"
    assert damaged["dc", "0.4 of full scale"] == "0.0%, named 100.0%"
    assert damaged["voice", "6 dB over the sound"] == "0.0%, named 100.0%"
    assert damaged["gap", "0.005 s lost every 2 s"] == "100.0%, named 0.0%"


def test_measures_of_the_tuning_half_leave_the_other_out(repository: Path, recordings: Path) -> None:
    rows = run(repository, "--data", recordings, "--limits")
    measures = {row[1]: [float(value) for value in row[2].split(", ")] for row in rows[2:]}
    assert measures["hum (dB over the rest)"][-1] < -15
    assert measures["clipping (share)"] == [0, 0, 0, 0, 0]
    assert -60 < measures["silence (dBFS)"][0] < -20
