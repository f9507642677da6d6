"""How many good stretches of real recordings quality refuses, and how many damaged ones it lets pass.

    python -m tools.measure_quality --data ICBHI_FOLDER [--speech FILE ...]     # patients on whom no limit was set
    python -m tools.measure_quality --data ICBHI_FOLDER --refused               # which of theirs are refused, and why
    python -m tools.measure_quality --data ICBHI_FOLDER --limits                # the others: what the limits come from

Good means: breathing cycles that experts annotated, and windows of 7 s every 3.5 s of the same recordings. Every second
patient of a stethoscope, by number, is for tuning. Damages and their levels are those of `tools/quality_damage.py`; the
damaged copy of a whole recording goes through the same chain as a microphone's sound. Speech comes from files, or from
flite and espeak-ng where they are installed, in other voices for either half; without any, those rows are missing. The
same `--seed` gives the same figures.
"""

from __future__ import annotations

import argparse
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from edge.intake import Intake
from edge.profiles import QualityLimits
from edge.quality import Quality, judge_quality
from edge.signal.spec import COMPACT
from tools.quality_damage import Damage, Heard, damages, heard
from tools.quality_recordings import HELD_OUT, TUNING, Original, read_originals
from tools.quality_voices import Voice, read_voices

Spans = Sequence[tuple[float, float]]

NOTHING_PASSES = QualityLimits(
    silence_level_dbfs=np.inf, clipped_share=-1, gap_share=-1, dc_share=-1, share_above_2khz=-1, share_above_1khz=-1,
    share_below_50hz=-1, hum_db=-np.inf, knock_level_dbfs=-np.inf, cough_s=-1, voice_s=-1,
)  # fmt: skip
"""Every reason is given, and says what was measured."""


def main(argv: list[str] | None = None) -> int:
    """Measure and print Markdown."""
    options = _parse(argv)
    half = TUNING if options.limits else HELD_OUT
    originals = list(read_originals(options.data, half))
    if options.limits:
        print_measures(originals)
    elif options.refused:
        print_refused(originals)
    else:
        print_refused_shares(originals)
        print()
        print_passed_shares(originals, read_voices(options.speech, half), options.seed)
    return 0


def print_measures(originals: Sequence[Original]) -> None:
    """What each measure gives on good stretches, by stethoscope."""
    print(
        "| device | measure | cycles: median, 98 %, 99 %, 99.5 %, most | windows: the same |\n| --- | --- | --- | --- |"
    )
    for device, own in _by_device(originals).items():
        cycles, windows = (_measures(own, kind) for kind in ("cycles", "windows"))
        for measure in cycles:
            print(f"| {device} | {measure} | {_spread(cycles[measure])} | {_spread(windows[measure])} |")


def print_refused(originals: Sequence[Original]) -> None:
    """Each good stretch that is refused, with its reasons."""
    print("| recording | stretch (s) | reasons |\n| --- | --- | --- |")
    for original in originals:
        spans = [*original.cycles_s, *original.windows_s]
        for (start_s, end_s), quality in zip(spans, _judge(_undamaged(original), original, spans), strict=True):
            if not quality.ok:
                reasons = (f"{r.name} {r.measured:.3g} over {r.threshold:g} {r.unit}" for r in quality.reasons)
                print(f"| {original.name} | {start_s:.1f}-{end_s:.1f} | {'; '.join(reasons)} |")


def print_refused_shares(originals: Sequence[Original]) -> None:
    """How many good stretches are refused and why, by stethoscope."""
    print("| device | patients | cycles refused | windows refused | for (cycles, windows) |")
    print("| --- | --- | --- | --- | --- |")
    for device, own in {**_by_device(originals), "all": originals}.items():
        cycles, windows = (
            [quality for original in own for quality in _judge(_undamaged(original), original, _spans(original, kind))]
            for kind in ("cycles", "windows")
        )
        names = sorted({reason.name for quality in [*cycles, *windows] for reason in quality.reasons})
        counts = ", ".join(f"{name} {_named(cycles, name)} {_named(windows, name)}" for name in names)
        patients = len({original.patient for original in own})
        print(f"| {device} | {patients} | {_refused(cycles)} | {_refused(windows)} | {counts or '-'} |")


def print_passed_shares(originals: Sequence[Original], voices: Sequence[Voice], seed: int) -> None:
    """How many damaged windows pass, by damage and stethoscope, and of how many the damage's own reason is given."""
    devices = _by_device(originals)
    print(f"| damage | level | bad | {' | '.join(devices)} |\n| --- | --- | --- |{' --- |' * len(devices)}")
    for damage in damages(voices):
        cells = (_passed(own, damage, seed) for own in devices.values())
        bad = "yes" if damage.is_bad else ""
        print(f"| {damage.reason} | {damage.level} | {bad} | {' | '.join(cells)} |", flush=True)


def _passed(originals: Sequence[Original], damage: Damage, seed: int) -> str:
    judged: list[Quality] = []
    for original in originals:
        rng = np.random.default_rng([seed, zlib.crc32(original.name.encode())])
        damaged = damage.apply(original.samples, original.sample_rate_hz, rng)
        judged += _judge(damaged, original, original.windows_s)
    passed = sum(quality.ok for quality in judged)
    return f"{_share(passed, len(judged))}, named {_share(_named(judged, damage.reason), len(judged))}"


def _judge(sound: Heard, original: Original, spans: Spans, limits: QualityLimits | None = None) -> Iterator[Quality]:
    """The verdict on each span, by the recording's profile unless other limits are given."""
    intake = Intake(sound.sample_rate_hz, COMPACT)
    pieces = [piece for block in sound.blocks for piece in intake.push(block)]
    conditioned, rate_hz = np.concatenate([*pieces, intake.finish()]), COMPACT.sample_rate_hz
    for start_s, end_s in spans:
        cut = conditioned[round(start_s * rate_hz) : round(end_s * rate_hz)]
        yield judge_quality(cut, rate_hz, intake.evidence(start_s, end_s), limits or original.profile.quality)


def _undamaged(original: Original) -> Heard:
    return heard(original.samples, original.sample_rate_hz)


def _spans(original: Original, kind: str) -> Spans:
    return original.cycles_s if kind == "cycles" else original.windows_s


def _measures(originals: Sequence[Original], kind: str) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for original in originals:
        for quality in _judge(_undamaged(original), original, _spans(original, kind), NOTHING_PASSES):
            for reason in quality.reasons:
                found[f"{reason.name} ({reason.unit})"].append(reason.measured)
    return found


def _spread(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in np.percentile(values, [50, 98, 99, 99.5, 100])) if values else "-"


def _by_device(originals: Sequence[Original]) -> dict[str, list[Original]]:
    found: dict[str, list[Original]] = defaultdict(list)
    for original in originals:
        found[original.profile.name].append(original)
    return dict(sorted(found.items()))


def _refused(judged: Sequence[Quality]) -> str:
    refused = sum(not quality.ok for quality in judged)
    return f"{refused} of {len(judged)} ({_share(refused, len(judged))})"


def _named(judged: Sequence[Quality], name: str) -> int:
    return sum(any(reason.name == name for reason in quality.reasons) for quality in judged)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with PATIENT_INDEX_LOCATION_MODE_DEVICE files")
    parser.add_argument("--speech", type=Path, nargs="+", default=[], help="WAV or FLAC files of talk")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--limits", action="store_true", help="what each measure gives on the tuning half, undamaged")
    shown.add_argument("--refused", action="store_true", help="list the good stretches that are refused")
    parser.add_argument("--seed", type=int, default=5)
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
