"""What `listen` shows on a terminal: how loud the sound is, the latest result, and the results before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.audio.block import AudioBlock
from edge.audio.source import Section
from edge.labels import LABELS
from edge.quality import rms_dbfs
from edge.results import Result
from edge.terminal import BOLD, DIM, RED, YELLOW, Line, Screen, bar

PROBABILITY_WIDTH = 40
METER_WIDTH = 30
METER_FLOOR_DBFS = -80.0
"""The left end of the level meter: under the silence limits of all profiles."""
EARLIER_RESULTS = 6


@dataclass(frozen=True)
class Session:
    """What stays the same while listening."""

    device: str
    source: str
    model: str
    engine: str
    sample_rate_hz: int
    window_s: float
    sections: tuple[Section, ...]
    """What a simulated source contains; empty for real sound."""
    encoding: str | None
    """Of the terminal."""


@dataclass(frozen=True)
class Meter:
    """What the latest block and all before it amount to."""

    heard_samples: int = 0
    """Lost ones included: the clock of the results."""
    lost_samples: int = 0
    level_dbfs: float = METER_FLOOR_DBFS
    clipping: bool = False


class LiveView:
    """The view on one session, drawn anew with every block and every result."""

    def __init__(self, session: Session, screen: Screen) -> None:
        self._session = session
        self._screen = screen
        self._meter = Meter()
        self._results: deque[Result] = deque(maxlen=1 + EARLIER_RESULTS)

    def show_block(self, block: AudioBlock) -> None:
        """Draw the level of the latest sound."""
        self._meter = Meter(
            heard_samples=self._meter.heard_samples + block.lost_samples + block.samples.size,
            lost_samples=self._meter.lost_samples + block.lost_samples,
            level_dbfs=max(rms_dbfs(block.samples), METER_FLOOR_DBFS),
            clipping=block.clipped_at.size > 0,
        )
        self._screen.draw(lines_of_view(self._session, self._meter, list(self._results)))

    def show_result(self, result: Result) -> None:
        """Draw the latest result."""
        self._results.appendleft(result)
        self._screen.draw(lines_of_view(self._session, self._meter, list(self._results)))


def lines_of_view(session: Session, meter: Meter, results: Sequence[Result]) -> list[Line]:
    """The whole view; `results` has the latest first."""
    heard_s = meter.heard_samples / session.sample_rate_hz
    lines = [*_heading(session, heard_s), Line(), _level(session, meter, heard_s), Line()]
    if not results:
        return [*lines, Line(f"first result after {session.window_s:g} s of sound", DIM)]
    earlier = [Line(f"  {_one_line(result, session.sections)}", DIM) for result in results[1:]]
    return [*lines, *_latest(results[0], session), Line(), Line("earlier", DIM), *earlier]


def simulated_labels(sections: Sequence[Section], start_s: float, end_s: float) -> tuple[str, ...]:
    """The labels of the sections between two times, in the order in which they sound, each change once."""
    labels = [section.label for section in sections if section.start_s < end_s and section.end_s > start_s]
    return tuple(label for label, before in zip(labels, [None, *labels], strict=False) if label != before)


def _heading(session: Session, heard_s: float) -> Iterator[Line]:
    yield Line(f"respire-edge  {session.device}  source {session.source}", BOLD)
    yield Line(f"model {session.model} on {session.engine}  (Ctrl-C ends)", DIM)
    yield Line("RESEARCH USE ONLY. Not a medical device.", YELLOW)
    if session.sections:
        now = " ".join(simulated_labels(session.sections, heard_s - 1e-3, heard_s)) or "silence"
        yield Line(f"SIMULATED SOUND, made by this program. Playing now: {now}", YELLOW)


def _level(session: Session, meter: Meter, heard_s: float) -> Line:
    level = bar(1 - meter.level_dbfs / METER_FLOOR_DBFS, METER_WIDTH, session.encoding)
    clipping = "  CLIPPING" if meter.clipping else ""
    lost = f"  lost {meter.lost_samples / session.sample_rate_hz:.1f} s" if meter.lost_samples else ""
    minutes, seconds = divmod(int(heard_s), 60)
    text = f"{minutes:3d}:{seconds:02d}  level {level} {meter.level_dbfs:4.0f} dBFS{clipping}{lost}"
    return Line(text, RED if clipping or lost else "")


def _latest(result: Result, session: Session) -> Iterator[Line]:
    for label in LABELS:
        share = result.probabilities[label]
        text = f"{label:>8} {bar(share, PROBABILITY_WIDTH, session.encoding)} {share:4.0%}"
        yield Line(text, BOLD if label == result.label else "")
    yield Line()
    yield Line(_one_line(result, session.sections), BOLD)


def _one_line(result: Result, sections: Sequence[Section]) -> str:
    stretch = f"{result.start_s:6.1f} to {result.end_s:6.1f} s"
    label = result.label or "no label"
    text = f"{stretch}  {label:<8} {_verdict(result)}"
    simulated = simulated_labels(sections, result.start_s, result.end_s)
    return f"{text}  simulated: {', '.join(simulated)}" if simulated else text


def _verdict(result: Result) -> str:
    if result.label is not None:
        return f"{result.probabilities[result.label]:4.0%}  quality ok"
    reasons = (f"{r.name} {r.measured:.3g} {r.unit} (limit {r.threshold:g})" for r in result.quality.reasons)
    return f"      {'; '.join(reasons)}"
