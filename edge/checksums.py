"""Whether the files of a bundle are the ones that were packed: sha256 and size, and `SHA256SUMS` over all of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import BundleError

MANIFEST_NAME = "manifest.json"
CHECKSUMS_NAME = "SHA256SUMS"
"""Lists every other file of a bundle, in the format of `sha256sum`; a bundle made by hand may lack it."""
CHECKSUM_LINE = re.compile(r"([0-9a-f]{64})  ([ -.0-\[\]-~]+)")
"""File names are printable ASCII without slashes, so that a damaged line names nothing outside the folder."""
READ_BYTES = 1 << 20


def check_content(path: Path, entry: Mapping[str, Any]) -> None:
    """Raise BundleError unless `path` has the `sha256` and the `bytes` of its entry in the manifest."""
    digest, size = _sha256_and_size(path, MANIFEST_NAME)
    if (digest, size) != (entry["sha256"], entry["bytes"]):
        raise BundleError(
            f"{path}: has sha256 {digest} ({size} bytes), {MANIFEST_NAME} says {entry['sha256']} "
            f"({entry['bytes']} bytes); one of the two was changed, restore the bundle"
        )


def check_checksums(folder: Path, needed: set[str]) -> None:
    """Hold every file of `folder` against its `SHA256SUMS`, where there is one; `needed` must be listed there.

    The manifest can vouch neither for itself nor for what it does not list. Raises BundleError.
    """
    path = folder / CHECKSUMS_NAME
    if not path.exists():
        return
    *lines, rest = _read_checksums(path).split("\n")
    found = [CHECKSUM_LINE.fullmatch(line) for line in lines]
    listed = {line[2]: line[1] for line in found if line}
    if rest or None in found or not needed <= listed.keys():
        raise BundleError(f"{path}: is damaged, it does not list every file of the bundle; restore the bundle")
    for name, expected in listed.items():
        digest, _ = _sha256_and_size(folder / name, CHECKSUMS_NAME)
        if digest != expected:
            raise BundleError(
                f"{folder / name}: has sha256 {digest}, {CHECKSUMS_NAME} says {expected}; "
                "one of the two was changed, restore the bundle"
            )


def checksum_lines(folder: Path) -> str:
    """What `SHA256SUMS` says about the files of `folder`; `sha256sum -c` reads it, too."""
    names = sorted(path.name for path in folder.iterdir() if path.name != CHECKSUMS_NAME)
    return "".join(f"{_sha256_and_size(folder / name, CHECKSUMS_NAME)[0]}  {name}\n" for name in names)


def _read_checksums(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); restore the bundle") from error


def _sha256_and_size(path: Path, listed_in: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(READ_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise BundleError(
            f"{path}: is listed in the bundle's {listed_in} and cannot be read ({error.strerror}); restore the bundle"
        ) from error
    return digest.hexdigest(), size
