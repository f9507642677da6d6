"""`respire-edge bench`: how quick and how frugal the program is on this machine, each stage by itself."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from edge.audio.pacing import SYSTEM_PACE, paced
from edge.bundle import find_bundle, load_bundle
from edge.checks.host import Host
from edge.engine.engine import DEFAULT_THREADS, open_engine
from edge.errors import UsageError
from edge.measuring.circumstances import read_circumstances
from edge.measuring.measurement import WARM_UP_RESULTS, Meter
from edge.measuring.percentiles import needed_for
from edge.measuring.report import report_from, report_lines
from edge.measuring.resources import maybe_age_s
from edge.measuring.sound import BLOCK_S, loop_from_recording, simulated_loop
from edge.operating_point import chosen_point
from edge.pipeline import slider_from_hop
from edge.profiles import load_profile
from edge.view.terminal import shown_text


@dataclass(frozen=True)
class BenchOptions:
    """What the command line asks for."""

    device: str
    model: Path | None
    engine: str
    source: Path | None
    """A recording; None: simulated breathing."""
    seconds: float
    """How much sound."""
    hop_s: float
    realtime: bool
    """As fast as it would sound, so that the processor rests between two results, as it does in use."""
    json: bool


def bench(options: BenchOptions, out: TextIO | None = None, host: Host | None = None) -> int:
    """Measure, and write a table or one JSON object to `out`, by default standard output.

    Returns the exit code 0, also where a target is missed; raises EdgeError.
    """
    out = out or sys.stdout
    report = _measured(options, host or Host())
    if options.json:
        print(json.dumps(report, indent=2, allow_nan=False), file=out)
    else:
        out.writelines(f"{shown_text(line, out.encoding)}\n" for line in report_lines(report))
    return 0


def _measured(options: BenchOptions, host: Host) -> dict[str, Any]:
    profile = load_profile(options.device)
    bundle = load_bundle(find_bundle(profile, options.model, os.environ))
    slider_from_hop(options.hop_s, bundle.spec)
    _check_duration(options, bundle.spec.window_s)
    loop = simulated_loop() if options.source is None else loop_from_recording(options.source)
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(bundle, options.engine, tell=partial(print, file=sys.stderr)))
        point = chosen_point(bundle.operating_points, None, bundle.model_id)
        meter = Meter(profile, bundle, engine, loop.sample_rate_hz, options.hop_s)
        before, start_up_s = read_circumstances(host), maybe_age_s(host)
        pace = SYSTEM_PACE if options.realtime else None
        measurement = meter.measure(paced(loop.blocks(options.seconds), loop.sample_rate_hz, pace), host)
        settings = {
            "device": profile.name,
            "model": bundle.model_id,
            "operating_point": point and point.name,
            "file": engine.model.path.name,
            "engine": engine.name,
            "threads": DEFAULT_THREADS,
            "sound": loop.name,
            "sample_rate_hz": loop.sample_rate_hz,
            "seconds": options.seconds,
            "hop_s": options.hop_s,
            "block_s": BLOCK_S,
            "realtime": options.realtime,
            "warm_up_results": WARM_UP_RESULTS,
        }
    return report_from(settings, before, read_circumstances(host), measurement, start_up_s)


def _check_duration(options: BenchOptions, window_s: float) -> None:
    least_s = window_s + (WARM_UP_RESULTS + needed_for(50)) * options.hop_s
    if options.seconds < least_s:
        raise UsageError(
            f"--seconds {options.seconds:g}: a median takes {least_s:g} s of sound at a hop of {options.hop_s:g} s, a "
            f"99th percentile {window_s + (WARM_UP_RESULTS + needed_for(99)) * options.hop_s:g} s; give more"
        )
