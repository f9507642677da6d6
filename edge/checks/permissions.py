"""The device files that the program opens, and the groups that may open them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host


@dataclass(frozen=True)
class DeviceKind:
    """Device files that go together."""

    name: str
    group: str
    """Whose members may open them on Debian, Ubuntu and Jetson Linux."""
    patterns: tuple[str, ...]
    without: str
    """What cannot be done where there are none."""


SOUND = DeviceKind("sound devices", "audio", ("dev/snd/pcmC*D*c", "dev/snd/controlC*"), "recordings need none")
SERIAL = DeviceKind(
    "serial ports", "dialout", ("dev/ttyACM*", "dev/ttyUSB*"), "only a stethoscope's microcontroller needs one"
)
GPU = DeviceKind("GPU devices", "video", ("dev/nvmap", "dev/nvhost-*gpu", "dev/dri/renderD*"), "TensorRT needs them")
"""Of a Jetson; the render nodes belong to a group of their own, `render`."""


def check_devices(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Whether this user may open sound cards, serial ports and, on a Jetson, the GPU."""
    for kind in (SOUND, SERIAL, GPU) if host.is_jetson else (SOUND, SERIAL):
        yield check_kind(kind, host)


def check_kind(kind: DeviceKind, host: Host) -> Finding:
    """One kind. In the group, or let in otherwise, such as by the list of rights that a desktop session sets."""
    nodes = [host.path(name) for pattern in kind.patterns for name in host.files(pattern)]
    closed = [node for node in nodes if not host.may_use(node)]
    member = is_member(host, kind.group)
    fields = {"devices": len(nodes), "closed": len(closed), "group": kind.group, "member": member}
    if closed:
        group = _owning_group(closed[0], host) or kind.group
        shown = f"{_shown(closed[0], host)} and {len(closed) - 1} more" if len(closed) > 1 else _shown(closed[0], host)
        measured = f"{shown} may not be opened; of group {group}"
        return Finding(kind.name, False, measured, _mend(closed[0], group, host), fields)
    if not nodes:
        return Finding(kind.name, True, f"none; {kind.without}", "", fields)
    how = "as root" if host.user_id == 0 else f"as a member of {kind.group}" if member else "without its group"
    return Finding(kind.name, True, f"{len(nodes)} may be opened, {how}", "", fields)


def is_member(host: Host, group: str) -> bool:
    """Whether this process, not only the user in the list of groups, is in `group`."""
    return any(name == group and number in host.group_ids for name, number, _ in _groups(host))


def _mend(node: Path, group: str, host: Host) -> str:
    if host.is_container:
        number = next((number for name, number, _ in _groups(host) if name == group), group)
        return f"start the container with: docker run --group-add {number} --device {_shown(node, host)}"
    if group == "root":
        return (
            f"{host.sudo}chmod a+rw {shlex.quote(_shown(node, host))}, until the next start; a udev rule makes it last"
        )
    if _is_listed(host, group):
        return f"log out and in again; in this terminal alone: newgrp {group}"
    return f"{host.sudo}usermod -aG {group} $USER, then log out and in again"


def _shown(node: Path, host: Host) -> str:
    return f"/{node.relative_to(host.root)}"


def _owning_group(node: Path, host: Host) -> str | None:
    number = node.stat().st_gid
    return next((name for name, each, _ in _groups(host) if each == number), str(number))


def _is_listed(host: Host, group: str) -> bool:
    """Whether the user is in the group since after this session began."""
    user = host.environ.get("USER") or host.environ.get("LOGNAME") or ""
    return bool(user) and any(name == group and user in members for name, _, members in _groups(host))


def _groups(host: Host) -> Iterator[tuple[str, int, list[str]]]:
    """Name, number and listed members of each, as group(5) has them."""
    for line in (host.text("etc/group") or "").splitlines():
        name, _, number, members = [*line.split(":"), "", "", ""][:4]
        if number.isdecimal():
            yield name, int(number), members.split(",")
