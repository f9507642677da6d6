"""What `listen` shows on a terminal: the level, the source, the last half minute's spectrogram, the latest result, the
last events. On a small terminal what matters least is left out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from edge.audio.block import AudioBlock
from edge.audio.source import Section
from edge.cough_events import NAME as COUGH
from edge.cough_events import per_hour
from edge.events import Event
from edge.labels import LABELS
from edge.report.text import reason_text
from edge.results import Result
from edge.signal.spec import FeatureSpec
from edge.view.event_words import words_of_event
from edge.view.level_meter import METER_FLOOR_DBFS, Meter, is_clipping, read_meter
from edge.view.screen import Screen
from edge.view.source_state import CONNECTED, RETRY, SourceState, state_after, words_of_state
from edge.view.spectrogram_strip import Paint, StripHistory, strip_lines
from edge.view.terminal import BOLD, DIM, RED, YELLOW, Line, bar, writes_unicode

DRAWING_S = 0.2
"""Five drawings a second: the eye takes them for motion, and a slow line carries them."""
LONGEST_BAR, SHORTEST_BAR = 40, 8
LEVEL_TEXT_COLUMNS, CLASS_TEXT_COLUMNS = 48, 16
"""What stands beside a bar."""
EARLIER_RESULTS = 6
LAST_EVENTS = 8
TALLEST_STRIP, SMALLEST_STRIP = 16, 4
ROWS_BESIDE_STRIP = 15
"""Heading, level, source, time axis, classes, result and two events."""


@dataclass(frozen=True)
class Session:
    """What stays the same while listening."""

    device: str
    source: str
    model: str
    engine: str
    sample_rate_hz: int
    spec: FeatureSpec
    sections: tuple[Section, ...]
    """What a simulated source contains; empty for real sound."""
    encoding: str | None
    """Of the terminal."""
    colours: bool
    """Whether the terminal has 256 of them."""
    operating_point: str | None = None
    """What labels are decided at; None where the model has none."""


@dataclass(frozen=True)
class Seen:
    """What there is to be shown."""

    meter: Meter = field(default_factory=Meter)
    state: SourceState = CONNECTED
    now_s: float = 0.0
    """By the clock that `state` was told the time by."""
    results: Sequence[Result] = ()
    """The latest first."""
    events: Sequence[Event] = ()
    """The latest first."""
    coughs: int = 0
    """Since listening began."""


@dataclass(frozen=True)
class Ranked:
    """A line, and how soon it is left out: 0 is left out last."""

    rank: int
    line: Line


class LiveView:
    """The view on one session; it draws itself anew at most every `DRAWING_S`."""

    def __init__(self, session: Session, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._screen = screen
        self._clock = clock
        self._meter = Meter()
        self._state = CONNECTED
        self._coughs = 0
        self._results: deque[Result] = deque(maxlen=1 + EARLIER_RESULTS)
        self._events: deque[Event] = deque(maxlen=LAST_EVENTS)
        self._history = StripHistory(session.sample_rate_hz, session.spec)
        self._strip: tuple[tuple[int, int, int], list[Line]] = ((-1, 0, 0), [])
        self._drawn_s = clock() - DRAWING_S

    def show_block(self, block: AudioBlock) -> None:
        """Take the latest sound."""
        self._meter = read_meter(self._meter, block, self._session.sample_rate_hz)
        self._history.add(block)
        if self._clock() - self._drawn_s >= DRAWING_S:
            self._draw()

    def show_result(self, result: Result) -> None:
        """Take the latest result, to be drawn with the next sound."""
        self._results.appendleft(result)

    def show_event(self, event: Event) -> None:
        """Take the latest event, to be drawn with the next sound."""
        if event.name != RETRY:  # the state of the source says it, and a long absence would leave no room for others
            self._events.appendleft(event)
        self._coughs += event.name == COUGH
        self._state = state_after(event, self._state, self._clock())

    def finish(self) -> None:
        """Draw all there is, for what stays on the terminal."""
        self._draw(bytes_at_most=None)

    def _draw(self, **limit: int | None) -> None:
        self._drawn_s = self._clock()
        seen = Seen(self._meter, self._state, self._drawn_s, list(self._results), list(self._events), self._coughs)
        columns, rows = self._screen.columns, self._screen.rows
        strip = self._strip_lines(columns, strip_rows(rows))
        self._screen.draw(lines_of_view(self._session, seen, strip, columns, rows), **limit)

    def _strip_lines(self, columns: int, rows: int) -> list[Line]:
        key = (self._history.now, columns, rows)
        if rows and self._strip[0] != key:
            paint = Paint(self._session.colours, writes_unicode(self._session.encoding))
            self._strip = (key, strip_lines(self._history, self._session.spec, columns, rows, paint))
        return self._strip[1] if rows else []


def strip_rows(rows: int) -> int:
    """How high the strip is on a terminal with so many rows; 0 where it has no place."""
    height = min(rows - ROWS_BESIDE_STRIP, TALLEST_STRIP)
    return height if height >= SMALLEST_STRIP else 0


def lines_of_view(session: Session, seen: Seen, strip: Sequence[Line], columns: int, rows: int) -> list[Line]:
    """The view, in at most `rows` lines for `columns` columns."""
    lines = [
        *_heading(session, seen),
        Ranked(0, _level(session, seen.meter, columns)),
        Ranked(1, _source(session, seen)),
        *(Ranked(4, line) for line in strip),
        *_latest(session, seen, columns),
        *(Ranked(3 if index < 2 else 5, _event_line(event)) for index, event in enumerate(seen.events)),
        *(Ranked(7, Line(f"  {_one_line(result, session.sections)}", DIM)) for result in seen.results[1:]),
    ]
    return _fitting(lines, rows)


def simulated_labels(sections: Sequence[Section], start_s: float, end_s: float) -> tuple[str, ...]:
    """The labels of the sections between two times, in the order in which they sound, each change once."""
    labels = [section.label for section in sections if section.start_s < end_s and section.end_s > start_s]
    return tuple(label for label, before in zip(labels, [None, *labels], strict=False) if label != before)


def _fitting(lines: Sequence[Ranked], rows: int) -> list[Line]:
    """As many as fit, in their order; of equal rank the later ones are left out."""
    order = sorted(range(len(lines)), key=lambda at: (lines[at].rank, at))
    return [lines[at].line for at in sorted(order[:rows])]


def _heading(session: Session, seen: Seen) -> Iterator[Ranked]:
    yield Ranked(3, Line(f"respire-edge  {session.device}  source {session.source}", BOLD))
    point = "" if session.operating_point is None else f"  operating point {session.operating_point}"
    yield Ranked(6, Line(f"model {session.model} on {session.engine}{point}  (Ctrl-C ends)", DIM))
    yield Ranked(0, Line("RESEARCH USE ONLY. Not a medical device.", YELLOW))
    if session.sections:
        heard_s = seen.meter.heard_samples / session.sample_rate_hz
        now = " ".join(simulated_labels(session.sections, heard_s - 1e-3, heard_s)) or "silence"
        yield Ranked(0, Line(f"SIMULATED SOUND, made by this program. Playing now: {now}", YELLOW))


def _level(session: Session, meter: Meter, columns: int) -> Line:
    width = _bar_width(columns - LEVEL_TEXT_COLUMNS)
    level = bar(1 - meter.level_dbfs / METER_FLOOR_DBFS, width, session.encoding)
    at = 1 + min(int((1 - meter.peak_dbfs / METER_FLOOR_DBFS) * width), width - 1)
    level = f"{level[:at]}|{level[at + 1 :]}"
    minutes, seconds = divmod(int(meter.heard_samples / session.sample_rate_hz), 60)
    clipping = is_clipping(meter, session.sample_rate_hz)
    text = f"{minutes:3d}:{seconds:02d}  level {level} {meter.level_dbfs:4.0f} dBFS{'  CLIPPING' if clipping else ''}"
    peak = f"  peak {meter.peak_dbfs:.0f}"
    return Line(f"{text}{peak}" if len(text) + len(peak) <= columns else text, RED if clipping else "")


def _source(session: Session, seen: Seen) -> Line:
    state = words_of_state(seen.state, seen.now_s)
    lost_samples = seen.meter.lost_samples
    lost = f"  lost {lost_samples / session.sample_rate_hz:.1f} s in all" if lost_samples else ""
    rate = per_hour(seen.coughs, seen.meter.heard_samples / session.sample_rate_hz)
    coughs = f"  coughs {seen.coughs} ({rate:.0f} an hour)" if seen.coughs else ""
    return Line(f"source {state}{lost}{coughs}", "" if seen.state.well else RED)


def _latest(session: Session, seen: Seen, columns: int) -> Iterator[Ranked]:
    if not seen.results:
        yield Ranked(1, Line(f"first result after {session.spec.window_s:g} s of sound", DIM))
        return
    latest = seen.results[0]
    for label in LABELS:
        share = latest.probabilities[label]
        text = f"{label:>8} {bar(share, _bar_width(columns - CLASS_TEXT_COLUMNS), session.encoding)} {share:4.0%}"
        yield Ranked(2, Line(text, BOLD if label == latest.label else ""))
    yield Ranked(0, Line(_one_line(latest, session.sections), BOLD))
    if not latest.quality.ok:
        reasons = "; ".join(reason_text(reason) for reason in latest.quality.reasons)
        yield Ranked(0, Line(f"quality: {reasons}", RED))


def _bar_width(columns: int) -> int:
    return min(max(columns, SHORTEST_BAR), LONGEST_BAR)


def _event_line(event: Event) -> Line:
    return Line(f"{event.start_s:6.1f} s  {words_of_event(event)}")


def _one_line(result: Result, sections: Sequence[Section]) -> str:
    stretch = f"{result.start_s:6.1f} to {result.end_s:6.1f} s"
    label = result.label or "no label"
    text = f"{stretch}  {label:<8} {_verdict(result)}"
    simulated = simulated_labels(sections, result.start_s, result.end_s)
    return f"{text}  simulated: {', '.join(simulated)}" if simulated else text


def _verdict(result: Result) -> str:
    if result.label is not None:
        return f"{result.probabilities[result.label]:4.0%}  quality ok"
    return f"      {', '.join(reason.name for reason in result.quality.reasons)}"
