"""The figures in the profiles come from a tool; here it measures sounds whose figures are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")
RATE_HZ = 4000


def test_level_clipping_and_band_of_a_known_sound_are_found(repository: Path, tmp_path: Path) -> None:
    time_s = np.arange(10 * RATE_HZ) / RATE_HZ
    tone = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 500 * time_s)
    soundfile.write(tmp_path / "101_1b1_Al_sc_Meditron.wav", tone, RATE_HZ, subtype="PCM_16")
    overdriven = np.tile([0.3, -0.3, 0.3, -0.3, 0.3, -0.3, 0.3, 1.0], 10 * RATE_HZ // 8)
    soundfile.write(tmp_path / "102_1b1_Al_sc_AKGC417L.flac", overdriven, RATE_HZ, subtype="PCM_16")

    command = [sys.executable, "-m", "tools.measure_stethoscopes", "--data", str(tmp_path)]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60, check=True)
    akg, meditron, every = (line.split(" | ") for line in ran.stdout.splitlines()[2:])

    assert meditron[:3] == ["| Meditron", "1", "4000 (1)"]
    low_hz, high_hz = map(int, meditron[3].split("-"))
    assert low_hz in (475, 500)
    assert high_hz in (525, 550)
    assert [float(level) for level in meditron[4].split(", ")] == pytest.approx([-20.0] * 3, abs=0.15)
    assert meditron[5].startswith("0.00%, 0.00%, 0.00%, 0.00%")
    assert akg[5].startswith("12.50%, 12.50%, 12.50%, 12.50%")
    assert every[:3] == ["| all", "2", "4000 (2)"]
