"""The machine that is looked at: its files, programs, users and clock, each replaceable by a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

NOT_FOUND = 127
"""As shells report a program that does not exist."""
TEGRA_RELEASE = "etc/nv_tegra_release"


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int | None
    """Negative: by that signal. None: it had to be ended because it took too long."""
    output: str


def run_program(arguments: Sequence[str], limit_s: float) -> Ended:
    """Run a program for at most `limit_s`, without input; standard output and error together."""
    try:
        outcome = subprocess.run(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "")
    except OSError as error:
        return Ended(NOT_FOUND, str(error))
    return Ended(outcome.returncode, outcome.stdout)


def may_read_and_write(path: Path) -> bool:
    """Whether the kernel lets this process, by its groups, by a list of rights or as root."""
    return os.access(path, os.R_OK | os.W_OK)


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Host:
    """One machine as one process sees it."""

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    run: Callable[[Sequence[str], float], Ended] = run_program
    now: Callable[[], datetime] = _now
    may_use: Callable[[Path], bool] = may_read_and_write
    user_id: int = field(default_factory=os.geteuid)
    group_ids: frozenset[int] = field(default_factory=lambda: frozenset((*os.getgroups(), os.getegid())))

    @property
    def is_jetson(self) -> bool:
        """Whether Jetson Linux runs here; containers get its file from the host."""
        return self.path(TEGRA_RELEASE).exists()

    @property
    def is_container(self) -> bool:
        """Whether devices and groups are those that somebody passed in (Docker's mark, and Podman's)."""
        return self.path(".dockerenv").exists() or self.path("run/.containerenv").exists()

    @property
    def sudo(self) -> str:
        """What a command that root alone may give begins with."""
        return "" if self.user_id == 0 else "sudo "

    def path(self, name: str) -> Path:
        """The file `name`, such as `etc/os-release`, of this machine."""
        return self.root / name

    def text(self, name: str) -> str | None:
        """What is in the file `name`; None where it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """The whole number in the file `name`; None where there is none."""
        try:
            return int(self.text(name) or "")
        except ValueError:
            return None

    def files(self, pattern: str) -> Iterator[str]:
        """The names of the files that fit `pattern`, such as `sys/class/thermal/thermal_zone*`, in order."""
        return (str(path.relative_to(self.root)) for path in sorted(self.root.glob(pattern)))

    def has_program(self, name: str) -> bool:
        """Whether a shell would find the program."""
        return shutil.which(name, path=self.environ.get("PATH", os.defpath)) is not None
