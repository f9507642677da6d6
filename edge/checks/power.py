"""The power mode of a Jetson, or what chooses the processor's clock elsewhere. Read, never set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host

MODES = "etc/nvpmodel.conf"
CHOSEN = "var/lib/nvpmodel/status"
"""What nvpmodel itself writes, such as `pmode:0002 fmode:quiet`; readable by everybody, unlike much that it asks."""
GOVERNOR = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
OVERCURRENT = "sys/class/hwmon/hwmon*/oc*_event_cnt"
"""How often a Jetson slowed down since its start because it got too little power (Jetson Linux Developer Guide)."""
ASK_LIMIT_S = 10.0


@dataclass(frozen=True)
class PowerMode:
    """What limits the clocks."""

    name: str
    """Of the mode, such as `MAXN_SUPER`, or of the governor, such as `schedutil`."""
    number: int | None = None
    """What `nvpmodel -m` takes; None off a Jetson."""

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name} (mode {self.number})"


def check_power(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """The mode, and how it is changed; and whether the power supply was too weak since the start."""
    if not host.is_jetson:
        yield Finding("power mode", True, _governed(host), "", {"governor": host.text(GOVERNOR)})
        return
    mode, modes = maybe_power_mode(host), _modes(host)
    listed = [f"{number} ({name})" for number, name in modes.items()] or ["those of nvpmodel -p --verbose"]
    fields = {"mode": mode.name if mode else None, "number": mode.number if mode else None, "modes": modes}
    how = f"sudo nvpmodel -m N on the device itself changes it; N is one of {', '.join(listed)}"
    measured = str(mode) if mode else "cannot be read here; on the device: nvpmodel -q"
    yield Finding("power mode", True, measured, how, fields)
    yield from _check_overcurrent(host)


def maybe_power_mode(host: Host) -> PowerMode | None:
    """By nvpmodel's files, or nvpmodel; off a Jetson the governor; None where nothing says it, as in containers."""
    if not host.is_jetson:
        governor = host.text(GOVERNOR)
        return None if governor is None else PowerMode(governor)
    chosen = re.search(r"pmode:(\d+)", host.text(CHOSEN) or "")
    if chosen:
        number = int(chosen[1])
        return PowerMode(_modes(host).get(number, "unnamed"), number)
    asked = re.search(r"NV Power Mode: *(\S+)\s+(\d+)", host.run(["nvpmodel", "-q"], ASK_LIMIT_S).output)
    return PowerMode(asked[1], int(asked[2])) if asked else None


def _governed(host: Host) -> str:
    governor = host.text(GOVERNOR)
    return "not a Jetson" if governor is None else f"not a Jetson; the processor's clock is governed by {governor}"


def _modes(host: Host) -> dict[int, str]:
    found = re.findall(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", host.text(MODES) or "", re.MULTILINE)
    return {int(number): name for number, name in found}


def _check_overcurrent(host: Host) -> Iterator[Finding]:
    counts = {name.rsplit("/", 1)[1].split("_")[0]: host.number(name) or 0 for name in host.files(OVERCURRENT)}
    if sum(counts.values()) > 0:
        measured = f"slowed down {sum(counts.values())} times since the start for want of power"
        mend = "use the power supply that came with it, or a lower mode: sudo nvpmodel -m N"
        yield Finding("power supply", True, measured, mend, {"events": counts})
