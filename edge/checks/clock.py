"""The date: a computer without a battery for its clock, and without a network, begins where it was left, or in 1970."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.checks.distribution import PACKAGE_FOLDER
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host

FIRST_VERSION = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""The program is no older than that, whatever the dates of its files say."""
TOLERANCE = timedelta(days=1)
"""Of a clock that was set by local time."""


def check_clock(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Whether it is later than when the program was installed: results are filed, and deleted, by their dates."""
    now, earliest = host.now(), max(FIRST_VERSION, installed_at(PACKAGE_FOLDER))
    fields = {"now": now.isoformat(timespec="seconds"), "not_before": earliest.isoformat(timespec="seconds")}
    if now < earliest - TOLERANCE:
        measured = f"{now:%Y-%m-%d %H:%M} UTC, before this program was made ({earliest:%Y-%m-%d})"
        mend = f"{host.sudo}date --set 'YYYY-MM-DD HH:MM' && {host.sudo}hwclock --systohc"
        yield Finding("clock", False, measured, mend, fields)
    else:
        yield Finding("clock", True, f"{now:%Y-%m-%d %H:%M} UTC", "", fields)


def installed_at(package_folder: Path) -> datetime:
    """When the program's files were written here; a wheel's own dates are the same in every version."""
    return datetime.fromtimestamp((package_folder / "__init__.py").stat().st_mtime, timezone.utc)
