"""What a report must not tell of the person who pastes it: the names of users in the paths of their home folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SOMEBODYS_HOME = re.compile(r"(?<![\w.~-])(/home|/Users)/[^/\s':;,)]+")


def shorten_homes(text: str, homes: tuple[Path, ...]) -> str:
    """`text` with each of `homes` as ~ and every other home folder as /home/*; both mean the same folder to a shell.

    A quoted path keeps its meaning, too: a shell replaces neither inside of quotes.
    """
    for home in homes:
        text = re.sub(rf"'{re.escape(str(home))}/([^']*)'", r"~/'\1'", text)
        text = re.sub(rf"(?<![\w.~-]){re.escape(str(home))}(?![\w.-])", "~", text)
    text = re.sub(rf"'{SOMEBODYS_HOME.pattern}/([^']*)'", r"\1/*/'\2'", text)
    return SOMEBODYS_HOME.sub(r"\1/*", text)


def shorten_fields(value: Any, homes: tuple[Path, ...]) -> Any:
    """The same for every text in what goes out as JSON."""
    if isinstance(value, str):
        return shorten_homes(value, homes)
    if isinstance(value, Mapping):
        return {shorten_fields(key, homes): shorten_fields(each, homes) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shorten_fields(each, homes) for each in value]
    return value


def own_homes(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The home folder of this user, also where it is reached through a link; / is nobody's."""
    named = [Path(environ["HOME"])] if environ.get("HOME") else []
    return tuple(dict.fromkeys(home for each in named for home in (each, each.resolve()) if len(home.parts) > 1))
