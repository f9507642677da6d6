"""`respire-edge bridge monitor`: a link's counters while it runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from textwrap import wrap
from typing import TextIO

from edge.bridging.opened import watched
from edge.bridging.watched_link import Value, WatchedLink, figures
from edge.stopping import stop_requests
from edge.view.terminal import is_terminal, shown_text
from firmware_bridge.news import Told

EVERY_S = 1.0
LATEST = 6
"""So many of the latest things that were told stay on the screen."""
CLEAR = "\x1b[H\x1b[J"
GROUPS = (
    ("link", ("phase", "round_trip_ms", "sound_age_ms", "openings", "results")),
    ("rate", ("declared_hz", "measured_hz", "ppm", "uncertainty_ppm")),
    (
        "device",
        ("battery_percent", "buffer_percent", "temperature_c", "device_overruns", "device_unsent_frames", "overruns"),
    ),
    (
        "bytes",
        (
            "bytes",
            "frames",
            "cobs_errors",
            "crc_errors",
            "short",
            "oversize",
            "foreign_versions",
            "unknown_types",
            "bad_payloads",
        ),
    ),
    (
        "sound",
        (
            "samples",
            "missing_frames",
            "duplicates",
            "late",
            "reordered",
            "gaps",
            "bridged_samples",
            "lost_samples",
            "restarts",
            "early_sound",
        ),
    ),
)


def monitor(uri: str, seconds: float | None, out: TextIO | None = None) -> int:
    """Draw once a second on a terminal, else write JSON lines. Returns 0 once asked to stop, or at a capture's end."""
    out = out or sys.stdout
    latest: list[Told] = []
    with watched(uri) as link, stop_requests() as stopping:
        begin_s = said_s = time.monotonic()
        while not (stopping() or link.is_over or _is_past(begin_s, seconds)):
            link.turn()
            latest, link.told = [*latest, *link.told][-LATEST:] if is_terminal(out) else [*latest, *link.told], []
            if time.monotonic() - said_s >= EVERY_S:
                said_s = time.monotonic()
                _show(out, link, latest)
                latest = latest if is_terminal(out) else []
        _show(out, link, latest)
    return 0


def lines(link: WatchedLink, told: Sequence[Told], columns: int) -> Iterator[str]:
    """What a person sees on a screen of so many columns."""
    known = figures(link.link)
    yield link.link.name
    for name, members in GROUPS:
        shown = "  ".join(f"{member}\u00a0{_shown(known[member])}" for member in members)
        wrapped = wrap(shown, columns, initial_indent=f"{name:7}", subsequent_indent=" " * 7, break_long_words=False)
        yield from (line.replace("\u00a0", " ") for line in wrapped)
    yield f"state  {link.failure or 'connected'}"
    for each in told:
        yield f"       {each.name} {' '.join(f'{name}={value}' for name, value in each.fields.items())}"


def _show(out: TextIO, link: WatchedLink, told: Sequence[Told]) -> None:
    if is_terminal(out):
        columns = get_terminal_size().columns
        out.write(CLEAR + "".join(f"{shown_text(line, out.encoding)}\n" for line in lines(link, told, columns)))
    else:
        happened = [{"name": each.name, **each.fields} for each in told]
        out.write(
            json.dumps({"uri": link.link.name, **figures(link.link), "failure": link.failure, "told": happened}) + "\n"
        )
    out.flush()


def _shown(value: Value) -> str:
    return "-" if value is None else str(value)


def _is_past(begin_s: float, seconds: float | None) -> bool:
    return seconds is not None and time.monotonic() - begin_s >= seconds
