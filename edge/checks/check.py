"""A check, and how one is made: nothing that goes wrong in it is more than a finding."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from edge.checks.finding import DoctorOptions, Finding, finding_from_error
from edge.checks.host import Host
from edge.errors import EdgeError

DEFAULT_LIMIT_S = 30.0
"""Far above what reading a few files takes; a network folder that is gone hangs for ever."""
REPORT = "please report it, with the output of: respire-edge doctor --json"


@dataclass(frozen=True)
class Check:
    """One thing to look at."""

    name: str
    """Stands for it in the JSON, and stays."""
    examine: Callable[[Host, DoctorOptions], Iterable[Finding]]
    limit_s: float = DEFAULT_LIMIT_S


def findings_of(check: Check, host: Host, options: DoctorOptions) -> Iterator[Finding]:
    """The findings as they come. A check that raises, or takes longer than its limit, ends with one that says so.

    A check that hangs is left behind in its thread, which does not keep the program from ending.
    """
    found: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
    threading.Thread(target=_examine, args=(check, host, options, found), name=check.name, daemon=True).start()
    while True:
        try:
            finding = found.get(timeout=check.limit_s)
        except queue.Empty:
            measured = f"no answer within {check.limit_s:g} s"
            yield Finding(check.name, False, measured, f"restart this machine, then: respire-edge doctor; {REPORT}")
            return
        if finding is None:
            return
        yield finding


def _examine(check: Check, host: Host, options: DoctorOptions, found: queue.SimpleQueue[Finding | None]) -> None:
    try:
        for finding in check.examine(host, options):
            found.put(finding)
    except EdgeError as error:
        found.put(finding_from_error(check.name, error))
    except BaseException as error:  # noqa: BLE001 - on a broken machine anything may fail, and the rest is still to be seen
        text = " ".join(f"{type(error).__name__}: {error}".split())
        found.put(Finding(check.name, False, f"could not be checked ({text})", REPORT))
    finally:
        found.put(None)
