"""A throw-away copy of this machine's files, in which commands run as in a container that is being built."""

from __future__ import annotations

import os
import shlex
import shutil
import string
import subprocess
from pathlib import Path

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_THE_NETWORK = ("PIP_", "SSL_CERT", "REQUESTS_CA", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""How variables begin that say where packages come from; everything else of the caller stays outside."""
IGNORED = shutil.ignore_patterns("__pycache__", "*.wav", "*.flac", "*.mp3")
BUILD_TIMEOUT_S = 1800
CONTAINED = ["unshare", "--net"]
"""Before `chroot`: no network, not even a loopback that is up."""


class RehearsalError(Exception):
    """A step that failed, in one line."""


class Root:
    """An overlay over `/`; what is written is kept in memory until it is closed."""

    def __init__(self, folder: Path, python: Path) -> None:
        """Mount it at `folder`/root, where /usr/bin/python3 is `python`. Raises RehearsalError."""
        self.path = folder / "root"
        self.user = "root"
        self._memory = folder / "memory"
        self._variables = {"PATH": DEFAULT_PATH}
        self._folder = "/"
        self._mounted: list[Path] = []
        self._mount_overlay()
        for name in ("proc", "dev", "sys"):
            self.bind(Path("/") / name, name)
        self._use(python)

    def set_variables(self, text: str) -> None:
        """As ENV and ARG do: `NAME=value` words, in which `${NAME}` is replaced."""
        for word in shlex.split(text):
            name, equals, value = word.partition("=")
            if equals:
                self._variables[name] = string.Template(value).safe_substitute(self._variables)

    def change_folder(self, folder: str) -> None:
        """As WORKDIR does."""
        self._folder = folder
        self._at(folder).mkdir(parents=True, exist_ok=True)

    def copy(self, context: Path, words: list[str]) -> None:
        """As COPY does: files into a folder, or the contents of one folder into another."""
        *sources, target = words
        into = self._at(str(Path(self._folder) / target))
        for source in sources:
            if (context / source).is_dir():
                shutil.copytree(context / source, into, ignore=IGNORED, dirs_exist_ok=True)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(context / source, into)

    def bind(self, source: Path, target: str) -> None:
        """Show a folder from outside at `target`."""
        place = self._at(target)
        place.mkdir(parents=True, exist_ok=True)
        self._mount(place, "--rbind", str(source))

    def mount_memory(self, target: str, owner: str, mode: str) -> None:
        """An empty file system in memory at `target`, as a fresh volume."""
        self._mount(self._at(target), "-t", "tmpfs", "-o", f"uid={owner},gid={owner},mode={mode}", "tmpfs")

    def make_folder_in_memory(self, target: str, owner: int) -> None:
        """Where `target` lies in memory already: a folder there for its owner alone."""
        place = self._at(target)
        place.mkdir(exist_ok=True)
        os.chown(place, owner, owner)
        place.chmod(0o700)

    def unbind(self, target: str) -> None:
        """Take back the last thing shown at `target`."""
        self._unmount(self._at(target))

    def make_read_only(self) -> None:
        """From now on nothing can be written but what is mounted apart."""
        _call(["mount", "-o", "remount,ro", str(self.path)], "make it read-only")

    def run(self, argv: list[str], what: str) -> str:
        """Run a command with a network, as a build does. Returns its output; raises RehearsalError."""
        outcome = subprocess.run(
            self.command(argv), env=self.environment(network=True), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=BUILD_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if outcome.returncode != 0:
            last = "\n".join(outcome.stdout.splitlines()[-15:])
            raise RehearsalError(f"{what} gave {outcome.returncode}:\n{last}")
        return outcome.stdout

    def command(self, argv: list[str]) -> list[str]:
        """What runs `argv` inside, as the user in force and in the folder in force."""
        chrooted = ["chroot", str(self.path), "env", f"--chdir={self._folder}"]
        if self.user != "root":
            identity = [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
            chrooted += ["setpriv", *identity, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        return [*chrooted, *argv]

    def environment(self, *, network: bool = False) -> dict[str, str]:
        """The variables in force and, for a build, those that say where packages come from."""
        if not network:
            return self._variables
        return {name: value for name, value in os.environ.items() if name.upper().startswith(OF_THE_NETWORK)} | (
            self._variables
        )

    def close(self) -> None:
        """Unmount everything."""
        for place in reversed(self._mounted.copy()):
            self._unmount(place)

    def _mount_overlay(self) -> None:
        self._memory.mkdir(parents=True)
        self.path.mkdir()
        self._mount(self._memory, "-t", "tmpfs", "tmpfs")
        for name in ("upper", "work"):
            (self._memory / name).mkdir()
        layers = f"lowerdir=/,upperdir={self._memory}/upper,workdir={self._memory}/work"
        self._mount(self.path, "-t", "overlay", "-o", layers, "overlay")
        for name in ("run", "tmp"):  # those of this machine are no part of an image
            self._mount(self.path / name, "-t", "tmpfs", "-o", "mode=1777", "tmpfs")

    def _use(self, python: Path) -> None:
        interpreter = python.resolve()
        for folder in interpreter.parents[:-1]:  # also for a user who may not look into /root
            self._at(str(folder)).chmod(0o755)
        link = self._at("/usr/bin/python3")
        link.unlink(missing_ok=True)
        link.symlink_to(interpreter)

    def _at(self, inside: str) -> Path:
        return self.path / inside.lstrip("/")

    def _mount(self, place: Path, *arguments: str) -> None:
        _call(["mount", *arguments, str(place)], f"mount {place}")
        self._mounted.append(place)

    def _unmount(self, place: Path) -> None:
        self._mounted.remove(place)
        _call(["umount", "--recursive", "--lazy", str(place)], f"unmount {place}")


def _call(command: list[str], what: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise RehearsalError(f"cannot {what}: {outcome.stderr.strip()}")
