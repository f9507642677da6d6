"""The folders that are written into: results, recordings, engines."""

from __future__ import annotations

import errno
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge.checks.finding import DoctorOptions, Finding
from edge.checks.host import Host
from edge.engine.engines_folder import ENGINES_VARIABLE, engines_folder

MIN_FREE_BYTES = 500_000_000
"""As `listen --record-min-free`: beneath it recording stops. Results alone take 50 MB a day at a hop of 1 s."""
PROBE_BYTES = 4096
"""One block: less may fit into what a full disk has left over."""


def check_storage(host: Host, options: DoctorOptions) -> Iterator[Finding]:
    """Where results go and where TensorRT engines are kept."""
    yield _check_results(options.output, host)
    needed = host.is_jetson or options.engine == "tensorrt" or bool(host.environ.get(ENGINES_VARIABLE))
    another = f"export {ENGINES_VARIABLE}=DIR names another"
    yield check_folder("engine cache", engines_folder(host.environ), another, needed, host)


def check_folder(name: str, folder: Path, another: str, needed: bool, host: Host) -> Finding:
    """Whether a file can be written in `folder`, or the folder be made, and how much is free there.

    `another`: how a person names another one. Where the folder is not `needed`, what is wrong with it is no fault.
    """
    place = _existing(folder)
    try:
        free_bytes = shutil.disk_usage(place).free
        _write_in(place)
    except OSError as error:
        measured = f"{folder} cannot be written ({error.strerror})"
        return Finding(name, not needed, measured, f"{_mend(error, place, host)}; {another}", {"path": str(folder)})
    fields = {
        "path": str(folder),
        "exists": place == folder,
        "free_bytes": free_bytes,
        "min_free_bytes": MIN_FREE_BYTES,
    }
    made = "" if place == folder else ", to be made when it is needed"
    measured = f"{folder}{made}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < MIN_FREE_BYTES:
        measured = f"{measured}, less than {MIN_FREE_BYTES / 1e9:.1f} GB"
        return Finding(name, not needed, measured, f"{_what_fills(place)}; {another}", fields)
    return Finding(name, True, measured, "", fields)


def _check_results(asked: Path | None, host: Host) -> Finding:
    """The folder that was asked for, which `listen` does not make, else the current one, which need not be writable."""
    if asked is not None and not asked.exists():
        mend = shlex.join(["mkdir", "-p", "-m", "700", str(asked)])
        return Finding("results folder", False, f"{asked} does not exist", mend, {"path": str(asked)})
    return check_folder("results folder", asked or Path.cwd(), "--output DIR names another", asked is not None, host)


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    absolute = folder.absolute()
    return next((path for path in (absolute, *absolute.parents) if path.exists()), Path("/"))


def _write_in(place: Path) -> None:
    """Write a file that has no name, and is gone when it is closed. Raises OSError."""
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is in its place")
    with tempfile.TemporaryFile(dir=place, buffering=0) as file:
        file.write(bytes(PROBE_BYTES))


def _mend(error: OSError, place: Path, host: Host) -> str:
    quoted = shlex.quote(str(place))
    if error.errno == errno.EROFS:
        mount = shlex.quote(str(_mount_of(place)))
        return f"{host.sudo}mount -o remount,rw {mount} ({host.sudo}dmesg says why it is read-only)"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _what_fills(place)
    if error.errno == errno.ENOTDIR:
        return f"mv {quoted} {shlex.quote(f'{place}.old')}"
    return f'{host.sudo}chown "$USER" {quoted}'


def _what_fills(place: Path) -> str:
    return f"du -xh {shlex.quote(str(_mount_of(place)))} | sort -h | tail shows what can go"


def _mount_of(place: Path) -> Path:
    return next(path for path in (place, *place.parents) if path.is_mount() or path == path.parent)
