"""The Python that runs this."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

from edge.checks.distribution import numbers_of, read_distribution
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host
from edge.checks.installing import apt_install


def check_python(host: Host, _: DoctorOptions) -> Iterator[Finding]:
    """Whether it is new enough, and one of those that the program is tested with."""
    distribution = read_distribution()
    version, tested = platform.python_version(), distribution.tested_pythons
    measured = f"{version} on {platform.system()} {platform.machine()}"
    fields = {"version": version, "oldest": distribution.oldest_python, "tested": list(tested), "path": sys.executable}
    if numbers_of(version) < numbers_of(distribution.oldest_python):
        mend = (
            f"{apt_install(host, 'python3 python3-venv')} (Ubuntu 22.04 or JetPack 6 and newer have a new enough one)"
        )
        measured = f"{measured} is older than {distribution.oldest_python}"
        yield Finding("python", False, measured, mend, fields)
    elif ".".join(version.split(".")[:2]) not in tested:
        measured = f"{measured}; tested are {', '.join(tested)}"
        yield Finding("python", True, measured, f"{apt_install(host, f'python{tested[-1]}-venv')}", fields)
    else:
        yield Finding("python", True, f"{measured} ({tested[0]} to {tested[-1]} are tested)", "", fields)
