"""The command that installs something on this machine."""

from __future__ import annotations

import importlib.util
import shlex
import sys
import sysconfig
from pathlib import Path

from edge.checks.host import Host


def pip_install(host: Host, *what: str) -> str:
    """A command that installs `what`, requirements or options of pip, for the Python that runs now."""
    if _is_managed_by_the_system():
        python, wanted = shlex.quote(sys.executable), shlex.join(what)
        return f"{python} -m venv ~/respire-edge && ~/respire-edge/bin/pip install {wanted}"
    return _pip(host, "install", *what)


def pip_uninstall(host: Host, distribution: str) -> str:
    """A command that removes a distribution from the Python that runs now."""
    return _pip(host, "uninstall", distribution)


def apt_install(host: Host, package: str) -> str:
    """A command that installs a Debian package; elsewhere also what to look for."""
    if host.has_program("apt"):
        return f"{host.sudo}apt install {package}"
    return f"with this system's package manager, on Debian or Ubuntu: sudo apt install {package}"


def _pip(host: Host, command: str, *arguments: str) -> str:
    python, wanted = shlex.quote(sys.executable), shlex.join((command, *arguments))
    if importlib.util.find_spec("pip") is not None:
        return f"{python} -m pip {wanted}"
    if host.has_program("uv"):
        return f"uv pip {command} --python {python} {shlex.join(arguments)}"
    return f"{python} -m ensurepip && {python} -m pip {wanted}"


def _is_managed_by_the_system() -> bool:
    """Whether pip would refuse, as PEP 668 has it."""
    return sys.prefix == sys.base_prefix and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").exists()
