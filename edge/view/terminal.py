"""What a terminal can show: styled text, bars, and nothing that it would obey."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

BOLD, DIM, YELLOW, RED = "1", "2", "33", "31"
"""Select Graphic Rendition codes, ECMA-48 section 8.3.117."""

Cell = tuple[str, str]
"""A character, or none in the second column of a wide one, and its style."""


@dataclass(frozen=True)
class Line:
    """One line of text in one style."""

    text: str = ""
    style: str = ""
    cells: tuple[Cell, ...] = ()
    """What follows the text, each column in a style of its own; printable."""


def is_terminal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` can be drawn on, and not only written to."""
    return stream.isatty() and environ.get("TERM", "dumb") not in ("", "dumb")


def has_256_colours(environ: Mapping[str, str]) -> bool:
    """Whether the terminal knows xterm's 256 colours, and colours are wanted (no-color.org)."""
    named = "256color" in environ.get("TERM", "") or environ.get("COLORTERM", "") in ("truecolor", "24bit")
    return named and not environ.get("NO_COLOR")


def writes_unicode(encoding: str | None) -> bool:
    """Whether `encoding` has the block elements."""
    return (encoding or "").lower().replace("-", "").startswith("utf")


def bar(share: float, width: int, encoding: str | None) -> str:
    """A bar `width` wide, filled to `share`, which is brought into 0 to 1; of # where `encoding` has no block."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    full = "█" if writes_unicode(encoding) else "#"
    return f"[{full * filled}{' ' * (width - filled)}]"


def shown_text(text: str, encoding: str | None) -> str:
    """`text` with ? for what a terminal would obey instead of show, and for what `encoding` cannot write."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable.encode(encoding or "ascii", "replace").decode(encoding or "ascii")
