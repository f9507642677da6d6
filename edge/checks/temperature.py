"""How warm the machine is, and whether it works more slowly for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host

ZONES = "sys/class/thermal/thermal_zone*"
COOLERS = "sys/class/thermal/cooling_device*"
SLOWING = ("cpufreq", "devfreq", "processor", "throttle")
"""In the names of what cools by working more slowly; fans, and the brightness of screens, are in the same list."""
SLOWING_TRIP = "passive"
"""Kind of trip point from which on the kernel slows the processor (Linux, thermal sysfs-api)."""
COOL_IT = (
    "free its vents and keep it out of the sun; watch -n 1 cat /sys/class/thermal/thermal_zone*/temp shows the rest"
)


@dataclass(frozen=True)
class Zone:
    """One sensor."""

    name: str
    temperature_c: float
    slowed_from_c: float | None
    """None: the kernel does not say."""


def check_temperature(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Whether the machine is so warm that it slows down; no sensor is no fault."""
    zones, slowed = read_zones(host), list(slowed_by(host))
    if not zones:
        yield Finding("temperature", True, "no sensor")
        return
    warmest = max(zones, key=lambda zone: zone.temperature_c)
    fields = {"temperature_c": warmest.temperature_c, "zones": {zone.name: zone.temperature_c for zone in zones}}
    too_warm = [zone for zone in zones if zone.slowed_from_c is not None and zone.temperature_c >= zone.slowed_from_c]
    shown = f"{warmest.temperature_c:.0f} °C ({warmest.name})"
    if too_warm:
        zone = too_warm[0]
        measured = (
            f"{zone.temperature_c:.0f} °C ({zone.name}), at which it slows down (from {zone.slowed_from_c:.0f} °C)"
        )
        yield Finding("temperature", False, measured, COOL_IT, fields)
    elif slowed:
        yield Finding("temperature", False, f"{shown}, slowed down by {', '.join(slowed)}", COOL_IT, fields)
    else:
        yield Finding("temperature", True, shown, "", fields)


def read_zones(host: Host) -> list[Zone]:
    """Every sensor that can be read; one that is switched off cannot."""
    found = ((name, host.number(f"{name}/temp")) for name in host.files(ZONES))
    return [
        Zone(host.text(f"{name}/type") or name, millidegrees / 1000, _maybe_slowed_from_c(name, host))
        for name, millidegrees in found
        if millidegrees is not None and millidegrees > 0
    ]


def slowed_by(host: Host) -> Iterator[str]:
    """The names of what cools at this moment by working more slowly."""
    for name in host.files(COOLERS):
        kind = host.text(f"{name}/type") or ""
        if any(part in kind.lower() for part in SLOWING) and (host.number(f"{name}/cur_state") or 0) > 0:
            yield kind


def _maybe_slowed_from_c(zone: str, host: Host) -> float | None:
    kinds = (name for name in host.files(f"{zone}/trip_point_*_type") if host.text(name) == SLOWING_TRIP)
    points = (host.number(f"{name.removesuffix('_type')}_temp") for name in kinds)
    return min((point / 1000 for point in points if point is not None and point > 0), default=None)
