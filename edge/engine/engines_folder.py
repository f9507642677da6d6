"""The folder in which plans are looked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edge.errors import EngineError

ENGINES_VARIABLE = "RESPIRE_EDGE_ENGINES"
"""Environment variable that names the folder of plans."""


def engines_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of plans. It lies outside the bundles, which are read-only; plans are this machine's own."""
    if environ.get(ENGINES_VARIABLE):
        return Path(environ[ENGINES_VARIABLE])
    cache = Path(environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # the XDG base directory specification has relative paths ignored
        cache = _home() / ".cache"
    return cache / "respire-edge" / "engines"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise EngineError(
            f"this user has no home folder to keep engines in; name one: export {ENGINES_VARIABLE}=DIR"
        ) from error
