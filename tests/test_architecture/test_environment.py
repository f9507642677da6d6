"""tools/environment.py calls an environment ready only when its libraries were seen to work together."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def environment(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", repository / "tools" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bare_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


def test_an_environment_without_its_libraries_is_refused_with_the_reason(
    environment: ModuleType, bare_folder: Path
) -> None:
    with pytest.raises(environment.UnreadyError, match=r"do not work together: .*No module named 'numpy'"):
        environment.check("device", bare_folder)


def test_a_torchvision_that_does_not_fit_is_refused_with_what_to_do(environment: ModuleType, bare_folder: Path) -> None:
    site_packages = next(bare_folder.glob("lib/python*/site-packages"))
    for name in ("numpy", "onnxruntime", "soundfile", "sounddevice", "torch"):
        (site_packages / f"{name}.py").write_text("")
    (site_packages / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    with pytest.raises(environment.UnreadyError, match=r"torchvision::nms does not exist; torch and torchvision must"):
        environment.check("development", bare_folder)


def test_a_ready_environment_is_left_alone(environment: ModuleType, bare_folder: Path) -> None:
    stamp = bare_folder / ".ready"
    stamp.write_text(environment.signature_of("device"))
    before = stamp.stat().st_mtime_ns
    environment.make_ready("device", bare_folder)
    assert stamp.stat().st_mtime_ns == before
    assert not list(bare_folder.glob("lib/python*/site-packages/*"))


def test_a_python_that_is_too_old_is_refused(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (99, 0))
    with pytest.raises(environment.UnreadyError, match=r"install Python 99\.0 or newer"):
        environment.refuse_unfit_python()


def test_a_python_without_ensurepip_names_the_package_to_install(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(environment.UnreadyError, match=r"sudo apt install python3-venv python3\.\d+-venv"):
        environment.refuse_unfit_python()


@pytest.mark.parametrize(("library", "noted"), [(None, True), ("libportaudio.so.2", False)])
def test_a_missing_portaudio_is_noted_with_the_package_to_install(
    environment: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    library: str | None,
    noted: bool,
) -> None:
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment.ctypes.util, "find_library", lambda name: library)
    environment.note_missing_portaudio()
    assert ("sudo apt install libportaudio2" in capsys.readouterr().err) == noted
