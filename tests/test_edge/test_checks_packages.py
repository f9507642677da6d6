"""What `doctor` says of packages, of the folders of the program and of Python itself."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge import cli
from edge.checks import distribution, folders, installing, packages, python
from edge.checks.distribution import Requirement
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host
from edge.errors import SetupError

BuildHost = Callable[..., Host]

ASKED = DoctorOptions()


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a package of that version and source where Python looks first."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def install(name: str, version: str, source: str = "") -> None:
        (folder / f"{name}.py").write_text(source)
        metadata = folder / f"{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    return install


def test_an_old_package_is_to_be_renewed_by_the_python_that_runs(
    site_packages: Callable[..., None], build_host: BuildHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "_is_managed_by_the_system", lambda: False)
    site_packages("breathlib", "1.26.4")
    found = packages.check_package(Requirement("breathlib", "2.0"), build_host())
    assert (found.ok, found.measured) == (False, "breathlib 1.26.4 is older than 2.0")
    assert sys.executable in found.mend
    assert found.mend.endswith("'breathlib>=2.0'")
    assert packages.check_package(Requirement("breathlib", "1.26"), build_host()).ok


@pytest.mark.parametrize(
    ("source", "failure", "mend"),
    [
        (
            "raise OSError('PortAudio library not found')",
            "OSError: PortAudio library not found",
            "apt install libportaudio2",
        ),
        ("raise OSError('sndfile library not found')", "sndfile library not found", "apt install libsndfile1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "by SIGILL", "export OPENBLAS_CORETYPE=ARMV8"),
        ("import nobodys_library", "No module named 'nobodys_library'", "--force-reinstall"),
        ("raise SystemExit(3)", "exit status 3", "--force-reinstall"),
    ],
    ids=["no PortAudio", "no libsndfile", "other processor", "half installed", "silent"],
)
def test_a_package_that_is_there_and_cannot_be_imported_is_found(
    site_packages: Callable[..., None], build_host: BuildHost, source: str, failure: str, mend: str
) -> None:
    site_packages("brokenlib", "2.0", source)
    host = build_host(programs=("apt",))
    found = packages.check_package(Requirement("brokenlib", "2.0"), host)
    assert not found.ok
    assert found.measured.startswith("brokenlib 2.0 cannot be imported (")
    assert failure in found.measured
    assert mend in found.mend


def test_a_frozen_sound_server_is_not_taken_for_a_broken_package(
    site_packages: Callable[..., None], build_host: BuildHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing sounddevice starts PortAudio, which waits for the server: seen with PulseAudio 16.1, stopped."""
    monkeypatch.setattr(packages, "SOUND_LIMIT_S", 0.5)
    site_packages("sounddevice", "0.5.6", "import time; time.sleep(60)")
    found = packages.check_package(Requirement("sounddevice", "0.5"), build_host(programs=("pulseaudio",)))
    assert found.measured == "sounddevice 0.5.6 cannot be imported (not done within 0.5 s)"
    assert found.mend == "pulseaudio --kill; pulseaudio --start"


def test_metadata_without_a_version_is_not_a_crash(site_packages: Callable[..., None], tmp_path: Path) -> None:
    site_packages("halflib", "1.0")
    (tmp_path / "site-packages" / "halflib-1.0.dist-info" / "METADATA").write_text("Name: halflib\n")
    assert packages.maybe_version("halflib") is None


def test_the_requirements_are_those_of_the_project(repository: Path) -> None:
    found = distribution.read_distribution(repository / "edge")
    assert found.oldest_python == "3.10"
    assert found.tested_pythons == ("3.10", "3.11", "3.12")
    after = (repository / "pyproject.toml").read_text().partition("\ndependencies = [")[2]
    listed = re.findall(r'"(.+)"', after.partition("\n]")[0])
    assert [requirement.text for requirement in found.requirements] == listed


def test_an_installed_program_reads_its_own_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "respire_edge-9.8.7.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: respire-edge\nVersion: 9.8.7\nRequires-Python: >=3.10\n"
        "Classifier: Programming Language :: Python :: 3.11\nRequires-Dist: numpy>=2.0\n"
        "Requires-Dist: torch>=2.9; extra == 'train'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = distribution.read_distribution(tmp_path / "edge")
    assert found == distribution.Distribution("9.8.7", "3.10", ("3.11",), (Requirement("numpy", "2.0"),))
    monkeypatch.setattr(distribution, "NAME", "nobodys-program")
    with pytest.raises(SetupError, match="neither installed nor run from its checkout"):
        distribution.read_distribution(tmp_path / "edge")


def test_versions_are_compared_by_their_numbers() -> None:
    assert distribution.numbers_of("1.9.2") < distribution.numbers_of("1.20")
    assert distribution.numbers_of("2.0.0rc1+cu126")[:2] == (2, 0)


def test_two_installations_are_one_too_many(
    tmp_path: Path, build_host: BuildHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("first", "second"):
        metadata = tmp_path / place / "respire_edge-0.1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: respire-edge\nVersion: 0.1.0\n")
        monkeypatch.syspath_prepend(tmp_path / place)
    found = list(folders.check_folders(build_host(), ASKED))[-1]
    assert (found.name, found.ok) == ("installations", False)
    assert str(tmp_path / "first") in found.measured
    assert "uninstall respire-edge, once for each but one" in found.mend


def test_a_folder_of_results_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nobodys_export").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert folders.maybe_place("nobodys_export") is None


def test_a_python_that_is_too_old_or_untested_is_told(build_host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = build_host(programs=("apt",))
    monkeypatch.setattr(platform, "python_version", lambda: "3.8.10")
    old = only(python.check_python(host, ASKED))
    assert (old.ok, "3.8.10" in old.measured, old.mend[:33]) == (False, True, "sudo apt install python3 python3-")
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert only(python.check_python(host, ASKED)).noted


def test_any_command_on_an_old_python_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "OLDEST_PYTHON", (99, 0))
    assert cli.main(["doctor"]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "sudo apt install python3 python3-venv" in error


@pytest.mark.parametrize(
    ("pip", "uv", "command"),
    [
        (True, True, "-m pip install 'x>=1'"),
        (False, True, "uv pip install --python"),
        (False, False, "-m ensurepip && "),
    ],
    ids=["pip", "uv", "neither"],
)
def test_what_installs_packages_is_what_is_there(
    build_host: BuildHost, monkeypatch: pytest.MonkeyPatch, pip: bool, uv: bool, command: str
) -> None:
    monkeypatch.setattr(installing, "_is_managed_by_the_system", lambda: False)
    found = SimpleNamespace() if pip else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    host = build_host(programs=("uv",) if uv else ())
    assert command in installing.pip_install(host, "x>=1")


def test_a_python_that_belongs_to_the_system_gets_an_environment(
    build_host: BuildHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "_is_managed_by_the_system", lambda: True)
    assert "-m venv ~/respire-edge && ~/respire-edge/bin/pip install 'x>=1'" in installing.pip_install(
        build_host(), "x>=1"
    )
