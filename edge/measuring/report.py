"""What `respire-edge bench` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from edge.measuring.circumstances import Circumstances
from edge.measuring.measurement import Measurement
from edge.measuring.percentiles import needed_for, percentiles_from
from edge.measuring.stages import STAGES

SCHEMA = 1
TITLES = {
    "conditioning": "resample + band-pass",
    "image": "image",
    "inference": "inference",
    "quality_decision": "quality + decision",
    "writing": "result written",
    "result": "last sample in to result out",
}
MAX_RESULT_MS, MAX_CORE_SHARE, MAX_RESIDENT_MB = 20.0, 0.03, 120.0
"""What the released INT8 bundle is to reach on a PC's processor; the share at a hop of 1 s."""
TARGET_HOP_S = 1.0


def report_from(
    settings: Mapping[str, Any],
    before: Circumstances,
    after: Circumstances,
    measured: Measurement,
    start_up_s: float | None,
) -> dict[str, Any]:
    """What goes out as JSON: durations in the unit of their name, null where there are too few for a percentile."""
    stages = {name: asdict(percentiles_from([getattr(each, name) for each in measured.stages])) for name in STAGES}
    core_share = measured.processor_s / measured.sound_s
    targets = [_target("result_p99_ms", stages["result"]["p99_ms"], MAX_RESULT_MS)]
    if settings["hop_s"] == TARGET_HOP_S:
        targets.append(_target("core_share", core_share, MAX_CORE_SHARE))
    targets.append(_target("resident_mb", measured.resident_mb, MAX_RESIDENT_MB))
    return {
        "schema": SCHEMA,
        "settings": settings,
        "circumstances": {**asdict(before), "temperature_after_c": after.temperature_c, "load_after": after.load_1min},
        "busy": before.busy or after.busy,
        "results": len(measured.stages),
        "unlabelled": measured.unlabelled,
        "stages": stages,
        "real_time_factor": round(measured.sound_s / measured.busy_s, 1),
        "core_share": round(core_share, 5),
        "resident_mb": _rounded(measured.resident_mb),
        "growth_mb": _rounded(measured.growth_mb),
        "peak_mb": _rounded(measured.peak_mb),
        "start_up_s": _rounded(start_up_s),
        "targets": targets,
    }


def _target(name: str, measured: float | None, limit: float) -> dict[str, Any]:
    return {
        "name": name,
        "measured": _rounded(measured),
        "limit": limit,
        "reached": None if measured is None else measured <= limit,
    }


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    settings, machine = report["settings"], report["circumstances"]
    point = f", operating point {settings['operating_point']}" if settings["operating_point"] else ""
    yield f"{settings['engine']} from {settings['file']} of {settings['model']}{point}, {settings['threads']} thread"
    yield f"on {machine['processor']}, {machine['cores']} cores, {machine['system']}"
    yield ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield (
        f"power mode {_shown(machine['power_mode'])}; load {_shown(machine['load_1min'])} before, "
        f"{_shown(machine['load_after'])} after; {_shown(machine['temperature_c'])} °C before, "
        f"{_shown(machine['temperature_after_c'])} °C after"
    )
    speed = "at its real speed" if settings["realtime"] else "as fast as possible"
    yield (
        f"{settings['sound']} sound, {settings['seconds']:g} s at {settings['sample_rate_hz']} Hz, {speed}: "
        f"{report['results']} results, one every {settings['hop_s']:g} s; {settings['warm_up_results']} before them, "
        "to warm up, are not counted"
    )
    yield ""
    yield f"{'milliseconds':32}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}"
    for name in STAGES:
        stage = report["stages"][name]
        cells = (_shown(stage[key], 2) for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        yield f"{TITLES[name]:32}{''.join(f'{cell:>9}' for cell in cells)}"
    yield ""
    yield f"{'real-time factor':32}{report['real_time_factor']:>9.0f}"
    yield f"{'processor, share of one core':32}{report['core_share']:>9.1%}"
    yield f"{'memory, MB':32}{_shown(report['resident_mb']):>9}  (growth {_shown(report['growth_mb'])})"
    yield f"{'start to first block, s':32}{_shown(report['start_up_s'], 2):>9}"
    yield ""
    yield from _target_lines(report)
    yield from _remarks(report)


def _target_lines(report: Mapping[str, Any]) -> Iterator[str]:
    words = {True: "reached", False: "missed", None: "not known"}
    for target in report["targets"]:
        limit, measured = target["limit"], target["measured"]
        yield f"{words[target['reached']]:10}{target['name']} {_shown(measured, 3)}, to reach {limit:g} or less"


def _remarks(report: Mapping[str, Any]) -> Iterator[str]:
    if report["busy"]:
        yield "Other programs wanted the processor: the upper percentiles are theirs, too. Measure when it is idle."
    if report["stages"]["result"]["p99_ms"] is None:
        yield f"- stands for a percentile that takes more results; p99 takes {needed_for(99)}: give more --seconds."
    if not report["settings"]["realtime"]:
        yield "Back to back, processor and caches stay warm; --realtime shows how the machine answers after a rest."
    if report["unlabelled"]:
        yield f"{report['unlabelled']} results had no label: the sound was not fit for one."


def _rounded(value: float | None) -> float | None:
    """To a thousandth: what lies behind it is the clock's."""
    return None if value is None else round(value, 3)


def _shown(value: Any, decimals: int = 1) -> str:
    return "-" if value is None else f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
