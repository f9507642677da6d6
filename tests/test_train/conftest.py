"""Small ICBHI and SPRSound folders made on the fly, and cycles with known samples."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge.labels import LABELS
from train.cycles import Cycle

CYCLE_S = 1.5
CYCLES_PER_RECORDING = 4
DEVICES = ("Litt3200", "Meditron")
PATIENTS_PER_DEVICE = 4


def breath(label: int, sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise that swells and fades, with clicks for crackles and a 400 Hz tone for wheezes."""
    n = round(CYCLE_S * sample_rate_hz)
    time_s = np.arange(n) / sample_rate_hz
    sound = 0.05 * rng.standard_normal(n) * np.sin(np.pi * time_s / CYCLE_S)
    if label in (1, 3):
        sound[rng.integers(0, n, 12)] += 0.8
    if label in (2, 3):
        sound += 0.3 * np.sin(2 * np.pi * 400 * time_s)
    return np.asarray(sound, dtype=np.float32)


def write_icbhi_recording(folder: Path, name: str, labels: list[int], sample_rate_hz: int, suffix: str) -> None:
    """One recording of consecutive cycles with its .txt."""
    rng = np.random.default_rng(len(name) + sum(labels))
    sound = np.concatenate([breath(label, sample_rate_hz, rng) for label in labels])
    soundfile.write(folder / f"{name}{suffix}", sound, sample_rate_hz)
    lines = [f"{CYCLE_S * i}\t{CYCLE_S * (i + 1)}\t{label % 2}\t{label // 2}" for i, label in enumerate(labels)]
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def icbhi_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients, two stethoscopes, 32 cycles of all four classes, WAV and FLAC at two rates."""
    root = tmp_path_factory.mktemp("icbhi")
    audio = root / "audio_and_txt_files"
    audio.mkdir()
    split, folds = [], []
    for number in range(len(DEVICES) * PATIENTS_PER_DEVICE):
        patient, device = 101 + number, DEVICES[number % 2]
        name = f"{patient}_1b1_Al_sc_{device}"
        labels = [(number + offset) % len(LABELS) for offset in range(CYCLES_PER_RECORDING)]
        write_icbhi_recording(audio, name, labels, (4000, 10000)[number % 2], (".wav", ".flac")[number // 4])
        split.append(f"{name}\t{'test' if number >= 5 else 'train'}")
        folds.append(f"{patient} {number % 5}")
    (root / "ICBHI_challenge_train_test.txt").write_text("\n".join(split) + "\n", encoding="utf-8")
    (root / "patient_list_foldwise.txt").write_text("\n".join(folds) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def sprsound_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight children in `train/`, the first two again in `intra/`, events of all types, one recording without any."""
    root = tmp_path_factory.mktemp("sprsound")
    types = ("Normal", "Fine Crackle", "Wheeze", "Wheeze+Crackle", "Coarse Crackle", "Rhonchi", "Stridor", "Normal")
    for child in range(8):
        _write_child(root / "train", child, [types[child], types[(child + 1) % 8], types[(child + 3) % 8]])
    for child in range(2):
        _write_child(root / "intra", child, ["Normal", "Wheeze"])
    _write_child(root / "train", 8, [])
    return root


def _write_child(folder: Path, child: int, types: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    name = f"{40000000 + child}_{child}.5_0_p1_{folder.name}"
    rng = np.random.default_rng(child)
    sound = np.concatenate([breath(index % 4, 4000, rng) for index in range(max(1, len(types)))])
    soundfile.write(folder / f"{name}.flac", sound, 4000)
    events = [
        {"start": str(int(1000 * CYCLE_S * index)), "end": str(int(1000 * CYCLE_S * (index + 1))), "type": kind}
        for index, kind in enumerate(types)
    ]
    record = {"record_annotation": "Normal", "event_annotation": events}
    (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")


MakeCycle = Callable[..., Cycle]


@pytest.fixture(scope="session")
def make_cycle() -> MakeCycle:
    """A cycle of constant or given samples, every field with a default."""

    def make(samples: NDArray[np.float32] | None = None, **fields: object) -> Cycle:
        defaults = {
            "label": 0,
            "patient": "101",
            "device": "Meditron",
            "dataset": "icbhi",
            "recording": "101_1b1_Al_sc_Meditron",
            "index": 0,
        }
        given = np.ones(4000, dtype=np.float32) if samples is None else samples
        return Cycle(samples=given, **{**defaults, **fields})  # type: ignore[arg-type]

    return make
