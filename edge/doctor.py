"""`respire-edge doctor`: what is in order on this machine, what is not, and what mends it.

The one command that must start anywhere: at module level it imports the standard library alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from edge.checks.audio import check_inputs
from edge.checks.check import Check, findings_of
from edge.checks.clock import check_clock
from edge.checks.distribution import read_distribution
from edge.checks.finding import DoctorOptions, Finding
from edge.checks.folders import check_folders
from edge.checks.host import Host
from edge.checks.jetson import check_jetson
from edge.checks.memory import check_memory
from edge.checks.models import check_models
from edge.checks.packages import check_packages
from edge.checks.permissions import check_devices
from edge.checks.power import check_power
from edge.checks.privacy import own_homes, shorten_fields, shorten_homes
from edge.checks.processor import check_processor
from edge.checks.python import check_python
from edge.checks.storage import check_storage
from edge.checks.temperature import check_temperature
from edge.errors import EdgeError
from edge.profiles import load_profile
from edge.view.terminal import shown_text

ALL_IN_ORDER, SOMETHING_BROKEN = 0, 2
SCHEMA = 1
MARKS, PLAIN_MARKS = ("✓", "!", "✗"), ("ok  ", "note", "FAIL")
"""In order, in order with a remark, and not; the second row is for outputs that cannot show the first."""
PROVING_LIMIT_S = 300.0
"""Golden inputs of the largest network on a slow processor."""

CHECKS = (
    Check("python", check_python),
    Check("packages", check_packages, limit_s=120.0),
    Check("folders", check_folders),
    Check("processor", check_processor),
    Check("memory", check_memory),
    Check("storage", check_storage),
    Check("clock", check_clock),
    Check("temperature", check_temperature),
    Check("power", check_power),
    Check("jetson", check_jetson, limit_s=120.0),
    Check("permissions", check_devices),
    Check("sound_inputs", check_inputs, limit_s=60.0),
    Check("models", check_models, limit_s=PROVING_LIMIT_S),
)
"""In the order in which they are made."""


def doctor(options: DoctorOptions, out: TextIO | None = None, host: Host | None = None) -> int:
    """Write a line for each finding to `out`, by default standard output, once it is known; or all of them as JSON.

    Returns the exit code: 0 where everything is in order, else 2. Raises ProfileError for an unknown stethoscope.
    """
    out, host = out or sys.stdout, host or Host()
    if options.device is not None:
        load_profile(options.device)
    homes = own_homes(host.environ)
    found: list[tuple[Check, Finding]] = []
    for check, finding in _examine(host, options):
        found.append((check, finding))
        if not options.json:
            print(shorten_homes(finding_line(finding, out.encoding), homes), file=out, flush=True)
    in_order = all(finding.ok for _, finding in found)
    if options.json:
        report = {
            "schema": SCHEMA,
            "version": _version(),
            "ok": in_order,
            "findings": [_record(*each) for each in found],
        }
        print(json.dumps(shorten_fields(report, homes), indent=2, allow_nan=False), file=out)
    return ALL_IN_ORDER if in_order else SOMETHING_BROKEN


def finding_line(finding: Finding, encoding: str | None) -> str:
    """One line for people; a finding that is not in order ends with what mends it."""
    marks = MARKS if (encoding or "").lower().startswith("utf") else PLAIN_MARKS
    mark = marks[1 if finding.noted else 0 if finding.ok else 2]
    mend = f"; {'what can be done' if finding.ok else 'to mend it'}: {finding.mend}" if finding.mend else ""
    return f"{mark} {shown_text(f'{finding.name}: {finding.measured}{mend}', encoding)}"


def _examine(host: Host, options: DoctorOptions) -> Iterator[tuple[Check, Finding]]:
    return ((check, finding) for check in CHECKS for finding in findings_of(check, host, options))


def _record(check: Check, finding: Finding) -> Mapping[str, Any]:
    return {
        "check": check.name,
        "name": finding.name,
        "ok": finding.ok,
        "measured": finding.measured,
        "mend": finding.mend,
        "fields": finding.fields,
    }


def _version() -> str | None:
    try:
        return read_distribution().version
    except EdgeError:
        return None
