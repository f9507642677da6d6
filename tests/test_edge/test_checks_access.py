"""What `doctor` says of devices and folders that may not be used, on real files, for a real user that is nobody."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.checks import storage
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host, run_program
from edge.checks.permissions import SERIAL, SOUND, check_devices, check_kind
from edge.checks.storage import check_folder, check_storage

Files = Mapping[str, str]
NO_FILES: Files = {}
BuildHost = Callable[..., Host]

ASKED, ASKED_FOR_TENSORRT = DoctorOptions(), DoctorOptions(engine="tensorrt")
GROUPS = {"etc/group": "root:x:0:\nadm:x:4:syslog,nurse\ndialout:x:20:nurse\naudio:x:29:pulse\nvideo:x:44:\n"}
JETSON = {"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n"}


def unprivileged(work: Callable[[], Finding]) -> Finding:
    """What `work` finds as a user that is nobody: root itself is never refused."""
    if os.geteuid() != 0:
        return work()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other threads, which the child does without
        child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(write, json.dumps(asdict(work())).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        found = stream.read()
    os.waitpid(child, 0)
    return Finding(**json.loads(found))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user of this machine can reach, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def device_node(root: Path, name: str, group_id: int, mode: int = 0o660) -> None:
    node = root / name
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    if os.geteuid() == 0:
        os.chown(node, 0, group_id)
    node.chmod(mode if os.geteuid() == 0 else 0)


@pytest.fixture
def ward_computer(open_folder: Path, build_host: BuildHost) -> Host:
    """With one sound card and one microcontroller, for members of audio and dialout."""
    for name in ("pcmC1D0c", "pcmC1D0p", "controlC1"):
        device_node(open_folder, f"dev/snd/{name}", 29)
    device_node(open_folder, "dev/ttyACM0", 20)
    (open_folder / "etc").mkdir()
    (open_folder / "etc/group").write_text(GROUPS["etc/group"])
    return replace(build_host(), root=open_folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to a group")
def test_a_user_outside_of_audio_is_told_how_to_get_in(ward_computer: Host) -> None:
    found = unprivileged(lambda: check_kind(SOUND, ward_computer))
    assert (found.ok, found.name) == (False, "sound devices")
    assert found.measured == "/dev/snd/pcmC1D0c and 1 more may not be opened; of group audio"
    assert found.mend == "sudo usermod -aG audio $USER, then log out and in again"
    assert found.fields == {"devices": 2, "closed": 2, "group": "audio", "member": False}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to a group")
def test_a_user_who_was_added_after_login_is_told_to_log_in_again(ward_computer: Host) -> None:
    found = unprivileged(lambda: check_kind(SERIAL, ward_computer))
    assert found.mend == "log out and in again; in this terminal alone: newgrp dialout"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to a group")
def test_in_a_container_the_group_is_to_be_given_to_it(ward_computer: Host) -> None:
    (ward_computer.root / ".dockerenv").touch()
    found = unprivileged(lambda: check_kind(SOUND, ward_computer))
    assert found.mend == "start the container with: docker run --group-add 29 --device /dev/snd/pcmC1D0c"


def test_whoever_is_let_in_by_group_or_otherwise_is_in_order(ward_computer: Host) -> None:
    let_in = replace(ward_computer, may_use=lambda _: True)
    member = replace(let_in, group_ids=frozenset({1000, 29}))
    assert check_kind(SOUND, member).measured == "2 may be opened, as a member of audio"
    assert check_kind(SOUND, let_in).measured == "2 may be opened, without its group"


def test_a_machine_without_cards_and_ports_is_in_order(build_host: BuildHost) -> None:
    findings = list(check_devices(build_host(), ASKED))
    assert [(finding.name, finding.ok, finding.mend) for finding in findings] == [
        ("sound devices", True, ""),
        ("serial ports", True, ""),
    ]


def test_on_a_jetson_the_gpu_is_for_members_of_video(build_host: BuildHost) -> None:
    host = build_host({**JETSON, "dev/nvmap": ""}, may_use=lambda path: path.name != "nvmap")
    found = list(check_devices(host, ASKED))[-1]
    assert (found.name, found.ok) == ("GPU devices", False)


def test_a_read_only_cache_is_a_fault_where_engines_are_wanted(open_folder: Path, build_host: BuildHost) -> None:
    cache = open_folder / "cache"
    cache.mkdir(mode=0o555)
    host = build_host()
    found = unprivileged(lambda: check_folder("engine cache", cache / "engines", "choose another", True, host))
    assert (found.ok, found.measured) == (False, f"{cache / 'engines'} cannot be written (Permission denied)")
    assert found.mend == f'sudo chown "$USER" {cache}; choose another'
    assert unprivileged(lambda: check_folder("engine cache", cache, "", False, host)).noted


def test_the_cache_matters_on_a_jetson_where_it_was_named_and_where_tensorrt_was_asked_for(
    build_host: BuildHost, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    environ = {"XDG_CACHE_HOME": str(tmp_path / "file"), "PATH": ""}

    def cache_of(options: DoctorOptions, files: Files = NO_FILES, **more: str) -> Finding:
        return list(check_storage(build_host(files, environ=environ | more), options))[-1]

    assert cache_of(ASKED_FOR_TENSORRT).ok is False
    assert cache_of(ASKED, RESPIRE_EDGE_ENGINES=str(tmp_path / "file" / "engines")).ok is False
    assert cache_of(ASKED).noted
    assert cache_of(ASKED, JETSON).ok is False


def test_results_need_the_folder_that_was_asked_for_and_not_the_current_one(
    build_host: BuildHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(place: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "_write_in", refuse)
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "PATH": ""}
    host = build_host(environ=environ)
    assert next(check_storage(host, ASKED)).noted
    results = tmp_path / "results"
    missing = next(check_storage(host, DoctorOptions(output=results)))
    assert (missing.ok, missing.mend) == (False, f"mkdir -p -m 700 {results}")
    results.mkdir()
    asked = next(check_storage(host, DoctorOptions(output=results)))
    assert (asked.ok, asked.measured) == (False, f"{results} cannot be written (Permission denied)")


def test_a_file_in_the_place_of_a_folder_is_to_be_moved(build_host: BuildHost, tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("")
    found = check_folder("engine cache", tmp_path / "engines", "x", True, build_host())
    assert found.measured == f"{tmp_path / 'engines'} cannot be written (a file is in its place)"
    assert found.mend.startswith(f"mv {tmp_path / 'engines'} {tmp_path / 'engines'}.old")


def test_little_space_is_found_before_it_ends(
    build_host: BuildHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=300_000_000))
    found = check_folder("results folder", tmp_path, "x", True, build_host())
    assert (found.ok, found.measured) == (False, f"{tmp_path}, 0.3 GB free, less than 0.5 GB")
    assert found.mend.startswith("du -xh ")


@pytest.mark.parametrize(
    ("prepare", "measured", "mend"),
    [
        ("cat /dev/zero > {0}/filler", "No space left on device", "du -xh {0} | sort -h | tail shows what can go"),
        ("mount -o remount,ro {0}", "Read-only file system", "mount -o remount,rw {0} (dmesg says why"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing_is_found(tmp_path: Path, prepare: str, measured: str, mend: str) -> None:
    """On a real one, in memory, that this test alone can see."""
    mount = tmp_path / "disk"
    mount.mkdir()
    program = (
        "import sys; from pathlib import Path; from edge.checks.host import Host; "
        "from edge.checks.storage import check_folder; "
        "f = check_folder('results folder', Path(sys.argv[1]), 'x', True, Host(user_id=0)); "
        "print(f.ok, f.measured, f.mend)"
    )
    script = f'mount -t tmpfs -o size=64k none "$1" || exit 77; {prepare.format("$1")} 2>&-; "$2" -c "$3" "$1"'
    ended = run_program(["unshare", "--mount", "sh", "-c", script, "-", str(mount), sys.executable, program], 60)
    if ended.code in (1, 77, 127):
        pytest.skip(f"nothing can be mounted here: {ended.output.strip()}")
    assert ended.output.startswith(f"False {mount} cannot be written ({measured})")
    assert mend.format(mount) in ended.output
