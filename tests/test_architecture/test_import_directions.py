"""Imports point one way, and the device side runs where nothing of the training stack is installed."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("edge", "firmware_bridge", "train", "export")
NOT_ON_THE_DEVICE = ("torch", "torchvision", "scipy", "librosa", "onnx", "cv2", "matplotlib", "tqdm", "train", "export")

SPECTRA = {
    "edge/signal/mel.py": "the one definition of the features",
    "edge/short_spectra.py": "judges the quality of sound, never what a network sees",
    "edge/coughs_and_voices/features.py": "what the detector of coughs and voices sees, never what the classifier sees",
    "train/sound_marks/examples.py": "colours sound for that detector's fitting",
    "train/sound_marks/talk.py": "gives synthetic talk a chest",
    "edge/audio/lung_sounds.py": "shapes simulated sound; measures nothing",
    "train/augmentation.py": "shapes sound before the features are made; measures nothing",
    "train/vocoder.py": "moves frequencies before the features are made; measures nothing",
    "train/torch_features.py": "the twin of the definition, tested against it and used for training alone",
}

IMPORT_THE_DEVICE_SIDE = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    sys.modules[name] = None
import edge, firmware_bridge
for package in (edge, firmware_bridge):
    print(package.__name__)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):  # importing that one is running it
            importlib.import_module(module.name)
        print(module.name)
"""


def test_the_contracts_of_pyproject_are_kept(repository: Path) -> None:
    pytest.importorskip("importlinter")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    outcome = subprocess.run([*command, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert " 0 broken" in outcome.stdout


def test_every_device_side_module_imports_without_the_training_stack(repository: Path) -> None:
    command = [sys.executable, "-c", IMPORT_THE_DEVICE_SIDE, *NOT_ON_THE_DEVICE]
    outcome = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    files = [path for package in ("edge", "firmware_bridge") for path in (repository / package).rglob("*.py")]
    assert len(outcome.stdout.split()) == len(files)


def test_importing_the_command_loads_no_engine_and_no_sound_library(repository: Path) -> None:
    code = "import sys, edge.cli; print(*sorted({'onnxruntime', 'sounddevice', 'soundfile'} & set(sys.modules)))"
    outcome = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert outcome.stdout.split() == []


def test_engines_can_be_built_without_the_training_stack(repository: Path) -> None:
    absent = (
        "torch",
        "torchvision",
        "onnx",
        "onnxscript",
        "scipy",
        "tqdm",
        "matplotlib",
        "train",
        "tensorrt",
        "pycuda",
    )
    code = f"""
import sys
for name in {absent}:
    sys.modules[name] = None
from export.build_engine import main
main(["--help"])
"""
    outcome = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "--precision {int8,fp16}" in outcome.stdout


def test_only_the_mel_module_measures_spectra(repository: Path) -> None:
    found = {
        path.relative_to(repository).as_posix()
        for package in PACKAGES
        for path in (repository / package).rglob("*.py")
        if _calls_fft(path)
    }
    assert found == set(SPECTRA)


def test_the_four_packages_come_from_one_folder(repository: Path) -> None:
    specs = [importlib.util.find_spec(name) for name in PACKAGES]
    parents = {Path(spec.origin).resolve().parent.parent for spec in specs if spec is not None and spec.origin}
    assert None not in specs
    assert parents == {repository}


def _calls_fft(path: Path) -> bool:
    names = {"fft", "rfft", "irfft", "stft"}
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in nodes)
