"""The wheel holds what the device needs, and its commands work from any folder."""

import ast
import json
import subprocess
import sys
import sysconfig
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest

PACKAGES = {"edge", "firmware_bridge", "train", "export"}
SAMPLE_RATE_HZ = 4000


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=repository)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment: the wheel, and the libraries of the environment that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "--quiet"]
    _run(*pip, "--no-index", "--no-deps", str(wheel))
    libraries = next(folder.glob("lib/python*/site-packages")) / "libraries.pth"
    libraries.write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"


def test_the_wheel_holds_four_packages_the_profiles_and_the_released_bundle(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == PACKAGES
    assert "edge/profiles/littmann3200.json" in names
    assert "edge/models/common/manifest.json" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_each_command_of_the_wheel_leads_to_a_function_of_the_wheel(installed: Path) -> None:
    code = """
import importlib.metadata, importlib.util
for script in importlib.metadata.distribution("respire-edge").entry_points:
    print(script.name, script.attr, importlib.util.find_spec(script.module).origin)
"""
    rows = [line.split() for line in _run(str(installed / "python"), "-c", code, cwd=Path("/")).splitlines()]
    assert len(rows) >= 7
    for name, function, path in rows:
        assert name.startswith("respire-")
        assert (installed / name).is_file()
        assert Path(path).is_relative_to(installed.parent)
        assert function in _functions(Path(path))


def test_every_module_with_a_command_has_a_script(repository: Path) -> None:
    modules = [path for package in ("train", "export") for path in (repository / package).glob("*.py")]
    commands = {f'"{path.parent.name}.{path.stem}:main"' for path in modules if "main" in _functions(path)}
    scripts = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert {command for command in commands if command not in scripts} == set()


@pytest.mark.parametrize("arguments", [["--help"], ["listen", "--help"], ["score", "--help"]])
def test_help_from_the_root_folder_says_research_use(installed: Path, arguments: list[str]) -> None:
    text = _run(str(installed / "respire-edge"), *arguments, cwd=Path("/"))
    assert text.startswith("usage: respire-edge")
    if arguments == ["--help"]:
        assert "RESEARCH USE ONLY" in text


def test_the_installed_command_scores_a_recording_with_the_bundle_it_brought(installed: Path, tmp_path: Path) -> None:
    recording = tmp_path / "breath.wav"
    _write_noise(recording, seconds=5)
    command = [str(installed / "respire-edge"), "score", str(recording), "--device", "littmann3200"]
    results = [json.loads(line) for line in _run(*command, cwd=tmp_path).splitlines()]
    assert [result["record"] for result in results] == ["result", "file"]
    assert sum(results[0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_files_of_the_user_named_like_ours_do_not_hide_ours(installed: Path, tmp_path: Path) -> None:
    for name in ("edge.py", "train.py", "export.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong module')\n")
    assert _run(str(installed / "respire-edge"), "--help", cwd=tmp_path).startswith("usage: respire-edge")


def _functions(module: Path) -> set[str]:
    nodes = ast.parse(module.read_text(encoding="utf-8")).body
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def _run(*command: str, cwd: Path | None = None) -> str:
    outcome = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, f"{command} gave {outcome.returncode}: {outcome.stderr}"
    return outcome.stdout


def _write_noise(path: Path, seconds: int) -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, seconds * SAMPLE_RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((noise * 32767).astype("<i2").tobytes())
