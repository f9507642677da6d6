"""What figures belong to: the machine, how it is set and how busy and warm it is, and the versions."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from edge.checks.distribution import read_distribution
from edge.checks.host import Host
from edge.checks.memory import maybe_memory
from edge.checks.packages import maybe_version
from edge.checks.power import maybe_power_mode
from edge.checks.processor import maybe_load, processor_name, usable_cores
from edge.checks.temperature import read_zones
from edge.engine.machine import TEGRA_RELEASE, l4t_release

LIBRARIES = ("numpy", "onnxruntime", "tensorrt", "pycuda")
BUSY_SHARE = 0.5
"""A load per core above which others had the processor while this was measured."""


@dataclass(frozen=True)
class Circumstances:
    """At one moment. Neither the name of the machine nor of its user is part of it."""

    processor: str
    cores: int
    system: str
    jetson_linux: str
    power_mode: str | None
    """Name and number of a Jetson's mode, or what governs the clock of another processor; None: not known."""
    memory_mb: float | None
    temperature_c: float | None
    load_1min: float | None
    versions: dict[str, str]

    @property
    def busy(self) -> bool:
        """Whether others wanted the processor, too."""
        return self.load_1min is not None and self.load_1min > BUSY_SHARE * self.cores


def read_circumstances(host: Host) -> Circumstances:
    """Those of this machine now."""
    mode, memory = maybe_power_mode(host), maybe_memory(host)
    named = {name: maybe_version(name) for name in LIBRARIES}
    return Circumstances(
        processor=processor_name(host),
        cores=usable_cores(),
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        jetson_linux=l4t_release(host.path(str(TEGRA_RELEASE).lstrip("/"))),
        power_mode=None if mode is None else str(mode),
        memory_mb=None if memory is None else round(memory.total_bytes / 1e6, 1),
        temperature_c=max((zone.temperature_c for zone in read_zones(host)), default=None),
        load_1min=maybe_load(host),
        versions={
            "respire-edge": read_distribution().version,
            **{name: version for name, version in named.items() if version is not None},
        },
    )
