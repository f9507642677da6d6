"""The checks of `doctor` on machines that a test built: with what is missing, wrong, full, hot, locked or too old.

Files look as the kernel (proc(5), sysfs-class-thermal), dpkg and Jetson Linux R36.4.3 on an Orin Nano write them: its
/etc/nv_tegra_release, nvpmodel.conf, nvpmodel's status file and output.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.audio.audio_input import AudioInput
from edge.audio.cards import SoundCard
from edge.checks import audio, clock, distribution, folders, jetson, memory, packages, python
from edge.checks.check import Check, findings_of
from edge.checks.distribution import Requirement
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Ended, Host
from edge.checks.memory import check_memory
from edge.checks.permissions import check_devices
from edge.checks.power import check_power
from edge.checks.processor import check_processor
from edge.checks.storage import check_storage
from edge.checks.temperature import check_temperature
from edge.errors import AudioDeviceError

Files = Mapping[str, str]
BuildHost = Callable[..., Host]

ASKED, ASKED_FOR_TENSORRT = DoctorOptions(), DoctorOptions(engine="tensorrt")
MEMORY = {"proc/meminfo": "MemTotal:        7802980 kB\nMemFree:  100 kB\nMemAvailable:    6100000 kB\n"}
GROUPS = {"etc/group": "root:x:0:\nadm:x:4:syslog,nurse\ndialout:x:20:nurse\naudio:x:29:pulse\nvideo:x:44:\n"}
ORIN_NANO = {
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, "
    "DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n",
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "proc/device-tree/serial-number": "1423224012345\0",
    "etc/nvpmodel.conf": "# 15 W\n< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n"
    "< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< PM_CONFIG DEFAULT=1 >\n",
    "var/lib/nvpmodel/status": "pmode:0002 fmode:quiet",
    "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}',
    "var/lib/dpkg/status": "Package: nvidia-jetpack\nStatus: install ok installed\nPriority: standard\n"
    "Version: 6.2.1+b38\n\nPackage: nvidia-l4t-core\nStatus: install ok installed\nVersion: 36.4.3-2025\n",
    **MEMORY,
    **GROUPS,
}


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_jetson_tells_its_release_jetpack_board_and_power_mode(build_host: BuildHost) -> None:
    host = build_host(ORIN_NANO)
    release = jetson.check_release(host)
    assert release == Finding("Jetson Linux", True, "R36.4.3, JetPack 6.2.1+b38", "", release.fields)
    assert release.fields["board"] == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert jetson.check_cuda(host, needed=True).measured == "12.6.11"
    mode = only(check_power(host, ASKED))
    assert (mode.ok, mode.measured) == (True, "MAXN_SUPER (mode 2)")
    assert mode.mend.startswith("sudo nvpmodel -m N on the device itself changes it; N is one of 0 (15W), 1 (25W)")
    assert only(check_processor(host, ASKED)).measured.startswith("NVIDIA Jetson Orin Nano")


def test_the_power_mode_is_asked_for_where_no_file_tells_it_and_never_set(build_host: BuildHost) -> None:
    asked: list[Sequence[str]] = []

    def run(arguments: Sequence[str], limit_s: float) -> Ended:
        asked.append(arguments)
        return Ended(0, "NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN\n0\n")

    files = {name: text for name, text in ORIN_NANO.items() if "nvpmodel" not in name}
    assert only(check_power(build_host(files, run=run), ASKED)).measured == "MAXN (mode 0)"
    assert asked == [["nvpmodel", "-q"]]


def test_in_a_container_that_hides_the_power_mode_it_is_said_where_to_ask(build_host: BuildHost) -> None:
    files = {name: text for name, text in ORIN_NANO.items() if "nvpmodel" not in name}
    found = only(check_power(build_host(files), ASKED))
    assert (found.ok, found.measured) == (True, "cannot be read here; on the device: nvpmodel -q")


def test_a_weak_power_supply_is_noted(build_host: BuildHost) -> None:
    events = {f"sys/class/hwmon/hwmon3/oc{number}_event_cnt": text for number, text in enumerate(["0", "3", "39"], 1)}
    _, supply = check_power(build_host({**ORIN_NANO, **events}), ASKED)
    assert supply.noted
    assert supply.measured == "slowed down 42 times since the start for want of power"


def test_jetpack_5_is_too_old(build_host: BuildHost) -> None:
    old = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1 2023\n"
    found = jetson.check_release(build_host({"etc/nv_tegra_release": old}))
    assert (found.ok, found.measured) == (False, "R35.4.1 is older than R36.4 (JetPack 6.1)")
    assert "sdkmanager" in found.mend


def test_tensorrt_for_another_python_is_told_from_none(build_host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    binding = "usr/lib/python3.10/dist-packages/tensorrt/__init__.py"
    found = jetson.check_tensorrt(build_host({**ORIN_NANO, binding: ""}), needed=True)
    assert not found.ok
    assert found.measured.startswith(f"is at /{binding}, which this Python 3.")
    assert "/usr/bin/python3 -m venv --system-site-packages" in found.mend


def test_a_jetson_without_tensorrt_is_told_how_to_get_it(
    build_host: BuildHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    host = build_host(ORIN_NANO, programs=("apt",))
    found = jetson.check_tensorrt(host, needed=False)
    assert found.noted
    assert found.mend == "sudo apt install python3-libnvinfer"


def test_what_only_a_jetson_has_is_no_fault_elsewhere(build_host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "pycuda"):
        monkeypatch.setitem(sys.modules, name, None)
    host = build_host({"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"})
    findings = [*jetson.check_jetson(host, ASKED), *check_power(host, ASKED)]
    assert [finding.name for finding in findings if not finding.ok or finding.mend] == []
    assert findings[-1].measured == "not a Jetson; the processor's clock is governed by powersave"
    asked = [finding.name for finding in jetson.check_jetson(host, ASKED_FOR_TENSORRT) if not finding.ok]
    assert asked == ["CUDA", "tensorrt", "pycuda", "GPU"]


def zone(number: int, kind: str, millidegrees: str, passive: str | None = None) -> dict[str, str]:
    folder = f"sys/class/thermal/thermal_zone{number}"
    trips = (
        {} if passive is None else {f"{folder}/trip_point_0_type": "passive\n", f"{folder}/trip_point_0_temp": passive}
    )
    return {f"{folder}/type": f"{kind}\n", f"{folder}/temp": millidegrees, **trips}


def cooler(number: int, kind: str, state: str) -> dict[str, str]:
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/cur_state": state}


def test_the_warmest_sensor_is_told_and_a_fan_that_turns_is_no_fault(build_host: BuildHost) -> None:
    files = (
        zone(0, "cpu-thermal", "51200\n", "99000\n") | zone(1, "gpu-thermal", "48000\n") | zone(2, "cv0-thermal", "")
    )
    found = only(check_temperature(build_host(files | cooler(0, "pwm-fan", "3\n")), ASKED))
    assert (found.ok, found.measured) == (True, "51 °C (cpu-thermal)")
    assert found.fields["zones"] == {"cpu-thermal": 51.2, "gpu-thermal": 48.0}


def test_a_machine_as_warm_as_where_it_slows_down_is_too_warm(build_host: BuildHost) -> None:
    found = only(check_temperature(build_host(zone(0, "cpu-thermal", "99500\n", "99000\n")), ASKED))
    assert (found.ok, found.measured) == (False, "100 °C (cpu-thermal), at which it slows down (from 99 °C)")


@pytest.mark.parametrize("kind", ["cpufreq-cpu0", "devfreq-17000000.gpu", "cpu-throttle-alert", "Processor"])
def test_a_machine_that_is_slowed_down_is_found(build_host: BuildHost, kind: str) -> None:
    files = zone(0, "cpu-thermal", "70000\n", "99000\n") | cooler(4, kind, "2\n")
    found = only(check_temperature(build_host(files), ASKED))
    assert (found.ok, found.measured) == (False, f"70 °C (cpu-thermal), slowed down by {kind}")


def test_a_machine_without_sensors_is_in_order(build_host: BuildHost) -> None:
    assert only(check_temperature(build_host(), ASKED)) == Finding("temperature", True, "no sensor")


def test_too_little_memory_is_found(build_host: BuildHost) -> None:
    assert only(check_memory(build_host(MEMORY), ASKED)).measured == "6.2 of 8.0 GB available"
    short = {"proc/meminfo": "MemTotal:        7802980 kB\nMemAvailable:    150000 kB\n"}
    found = only(check_memory(build_host(short), ASKED))
    assert (found.ok, found.measured) == (False, "0.2 of 8.0 GB available, less than 0.2 GB")


def test_the_limit_of_a_container_counts(build_host: BuildHost) -> None:
    limit = {"sys/fs/cgroup/memory.max": "536870912\n", "sys/fs/cgroup/memory.current": "436870912\n"}
    found = only(check_memory(build_host({**MEMORY, **limit}), ASKED))
    assert not found.ok
    assert found.fields["available_bytes"] == 100_000_000
    none = build_host({**MEMORY, **limit, "sys/fs/cgroup/memory.max": "max\n"})
    assert memory.maybe_memory(none) == memory.Memory(7802980 * 1024, 6100000 * 1024)


def test_a_clock_from_before_the_program_is_wrong(build_host: BuildHost) -> None:
    host = build_host(now=lambda: datetime(1970, 1, 1, 0, 3, tzinfo=timezone.utc))
    found = only(clock.check_clock(host, ASKED))
    assert not found.ok
    assert found.measured.startswith("1970-01-01 00:03 UTC, before this program was made")
    assert found.mend.startswith("sudo date --set")
    later = clock.installed_at(distribution.PACKAGE_FOLDER)
    assert only(clock.check_clock(build_host(now=lambda: later), ASKED)).ok


COMMAND = re.compile(
    r"(?:^|sudo |[:;,(] ?|&& |with: )"
    r"(?:apt install |usermod -aG |chown |chmod |mount -o remount|date --set|alsactl |mv |mkdir -p |du -xh |ps -eo "
    r"|watch -n |fuser |newgrp |docker run |systemctl --user |pulseaudio --kill|sdkmanager |nvpmodel |CUDA_ROOT="
    r"|export [A-Z_]+=|respire-edge |uv pip |/\S*python\S* -m (?:pip|venv|ensurepip) )"
)


def faults(build_host: BuildHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Finding]:
    """Of every check of the machine in every broken state that needs no other user and no other disk."""
    for name in ("tensorrt", "pycuda"):
        monkeypatch.setitem(sys.modules, name, None)
    locked = {"dev/snd/controlC0": "", "dev/ttyUSB0": "", "dev/nvmap": "", **ORIN_NANO}
    old = {"etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 1\n"}
    yield from check_devices(build_host(locked, may_use=lambda _: False), ASKED)
    yield from jetson.check_jetson(build_host({**ORIN_NANO, **old}), ASKED_FOR_TENSORRT)
    yield jetson.check_release(build_host({"etc/nv_tegra_release": "nothing\n"}))
    yield from check_temperature(build_host(zone(0, "cpu", "99500", "99000")), ASKED)
    yield from check_temperature(build_host(zone(0, "cpu", "50000", "99000") | cooler(0, "cpufreq-cpu0", "1")), ASKED)
    yield from check_memory(build_host({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 9 kB\n"}), ASKED)
    yield from clock.check_clock(build_host(now=lambda: datetime(1970, 1, 1, tzinfo=timezone.utc)), ASKED)
    (tmp_path / "taken").write_text("")
    taken = build_host(environ={"XDG_CACHE_HOME": str(tmp_path / "taken"), "PATH": ""})
    yield from check_storage(taken, DoctorOptions(engine="tensorrt", output=tmp_path / "taken" / "results"))
    for name in ("nobodys_package", "json"):
        yield packages.check_package(Requirement(name, "99.0"), build_host())
    monkeypatch.setattr(folders, "maybe_place", lambda name: tmp_path / f"{name}.py")
    yield from folders.check_folders(build_host(), ASKED)
    monkeypatch.setattr(folders, "maybe_place", lambda name: None)
    yield from folders.check_folders(build_host(), ASKED)
    monkeypatch.setattr(platform, "python_version", lambda: "3.8.10")
    yield from python.check_python(build_host(), ASKED)
    yield from audio.check_inputs(build_host({"sys/class/sound/card0/id": ""}), ASKED)
    yield from findings_of(Check("crash", lambda *_: [1 / 0]), build_host(), ASKED)


def test_every_fault_carries_a_command_that_mends_it(
    build_host: BuildHost, with_inputs: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_inputs([])
    found = [finding for finding in faults(build_host, monkeypatch, tmp_path) if not finding.ok]
    assert len({finding.name for finding in found}) >= 17
    without = [(finding.name, finding.mend) for finding in found if not COMMAND.search(finding.mend)]
    assert without == []


CARD = SoundCard(1, "Device", "0d8c:0014", "1-1.2")
USB_INPUT = AudioInput(3, "USB Audio: - (hw:1,0)", 1, 44100, True, CARD, (44100, 48000))


@pytest.fixture
def with_inputs(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[AudioInput] | AudioDeviceError], None]:
    def deliver(inputs: list[AudioInput] | AudioDeviceError) -> None:
        def list_inputs(*, try_rates: bool) -> list[AudioInput]:
            assert try_rates
            if isinstance(inputs, AudioDeviceError):
                raise inputs
            return inputs

        monkeypatch.setattr(audio, "list_inputs", list_inputs)
        monkeypatch.setattr(audio, "maybe_import_failure", lambda name: None)

    return deliver


def test_an_input_tells_its_rates_and_how_to_choose_it(with_inputs: Callable[..., None], build_host: BuildHost) -> None:
    with_inputs([USB_INPUT])
    found = only(audio.check_inputs(build_host(), ASKED))
    assert (found.name, found.ok, found.mend) == ("sound input USB Audio: - (hw:1,0)", True, "")
    assert found.measured == (
        "1 channels at 44100 Hz, accepts 44100, 48000 Hz; the default; --source mic:usb:0d8c:0014"
    )
    assert found.fields["accepted_rates_hz"] == [44100, 48000]


def test_an_input_that_nobody_can_open_now_is_noted(with_inputs: Callable[..., None], build_host: BuildHost) -> None:
    with_inputs([replace(USB_INPUT, accepted_rates_hz=())])
    found = only(audio.check_inputs(build_host(), ASKED))
    assert found.noted
    assert "fuser -v /dev/snd/*" in found.mend


@pytest.mark.parametrize(
    ("files", "ok", "mend"),
    [
        ({}, True, "plug in a microphone or a sound card, then: respire-edge devices"),
        (
            {".dockerenv": ""},
            True,
            f"start the container with: docker run {audio.CONTAINER_OPTIONS}",
        ),
        ({"sys/class/sound/card0/id": "PCH\n"}, False, "fuser -v /dev/snd/*, then: sudo alsactl init"),
    ],
    ids=["no card", "container", "card that PortAudio does not see"],
)
def test_no_input_is_a_fault_only_where_there_is_a_card(
    with_inputs: Callable[..., None], build_host: BuildHost, files: Files, ok: bool, mend: str
) -> None:
    with_inputs([])
    found = only(audio.check_inputs(build_host(files), ASKED))
    assert (found.ok, found.mend) == (ok, mend)


@pytest.mark.parametrize(
    ("program", "mend"),
    [
        ("pipewire", "systemctl --user restart wireplumber pipewire pipewire-pulse"),
        ("pulseaudio", "pulseaudio --kill; pulseaudio --start"),
        ("aplay", "sudo alsactl init"),
    ],
)
def test_a_sound_server_that_does_not_answer_is_to_be_restarted(
    with_inputs: Callable[..., None], build_host: BuildHost, program: str, mend: str
) -> None:
    with_inputs(AudioDeviceError("PortAudio did not answer within 10 s; is a sound server frozen? Restart it"))
    found = only(audio.check_inputs(build_host(programs=(program,)), ASKED))
    assert found == Finding("sound inputs", False, "PortAudio did not answer within 10 s", mend)
