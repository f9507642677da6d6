"""What `score` says at its end: how much was scored, which labels were given, and how well they fit annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edge.cough_events import per_hour
from edge.icbhi_score import IcbhiScore, icbhi_score
from edge.labels import LABELS
from edge.scoring.file_score import FileScore, Verdict


@dataclass
class Tally:
    """The running count over recordings."""

    errors: list[str]
    """Why recordings could not be scored."""
    files: int = 0
    sound_s: float = 0.0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    coughs: int | None = None
    """None while no recording was listened to for them."""

    def add(self, file_score: FileScore) -> None:
        """Count one more recording."""
        if file_score.error is not None:
            self.errors.append(file_score.error)
            return
        self.files += 1
        self.sound_s += file_score.sound_s
        self.verdicts.update(file_score.verdicts)
        if file_score.coughs is not None:
            self.coughs = (self.coughs or 0) + file_score.coughs


def summary_lines(tally: Tally, spent_s: float, operating_points: Mapping[str, str]) -> Iterator[str]:
    """The lines of the summary, without line ends; `operating_points` by stethoscope, where labels had one."""
    annotated = any(verdict.annotated for verdict in tally.verdicts)
    what = "cycles" if annotated else "windows"
    yield (
        f"{tally.files} recordings, {tally.sound_s:.0f} s of sound, {tally.verdicts.total()} {what} in {spent_s:.1f} s "
        f"({tally.sound_s / max(spent_s, 1e-9):.0f} times real time)"
    )
    yield _label_line(tally)
    if tally.coughs is not None:
        yield f"coughs: {tally.coughs} ({per_hour(tally.coughs, tally.sound_s):.0f} an hour)"
    if operating_points:
        yield _points_line(operating_points)
    if annotated:
        yield from _score_lines(tally)
    if tally.errors:
        yield f"not scored: {len(tally.errors)}"
        yield from (f"  {error}" for error in tally.errors)


def _label_line(tally: Tally) -> str:
    labels, reasons = Counter[str | None](), Counter[str]()
    for verdict, count in tally.verdicts.items():
        labels[verdict.label] += count
        reasons.update(dict.fromkeys(verdict.reasons, count))
    given = ", ".join(f"{label} {labels[label]}" for label in LABELS)
    why = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()))
    return f"labels: {given}, none {labels[None]}" + (f" ({why})" if why else "")


def _points_line(operating_points: Mapping[str, str]) -> str:
    names = set(operating_points.values())
    if len(names) == 1:
        return f"operating point: {names.pop()}"
    return f"operating points: {', '.join(f'{device} {name}' for device, name in sorted(operating_points.items()))}"


def _score_lines(tally: Tally) -> Iterator[str]:
    """A table of ICBHI scores: each stethoscope, then all of them where there are several."""
    devices = sorted({verdict.device for verdict in tally.verdicts})
    width = max(len("stethoscope"), *map(len, devices))
    yield f"{'stethoscope':<{width}}  cycles      Sp      Se   Score   (a cycle without a label counts as missed)"
    for device in devices:
        yield _score_line(f"{device:<{width}}", _score_of(tally, {device}))
    if len(devices) > 1:
        yield _score_line(f"{'all':<{width}}", _score_of(tally, set(devices)))


def _score_of(tally: Tally, devices: set[str]) -> IcbhiScore:
    verdicts = (verdict for verdict in tally.verdicts.elements() if verdict.device in devices)
    return icbhi_score((verdict.annotated, verdict.label) for verdict in verdicts if verdict.annotated)


def _score_line(name: str, score: IcbhiScore) -> str:
    shares = (_percent(share) for share in (score.specificity, score.sensitivity, score.score))
    return f"{name}  {score.normal + score.abnormal:6d}  {'  '.join(shares)}"


def _percent(share: float | None) -> str:
    return "     -" if share is None else f"{share:6.1%}"
