"""`respire-edge listen`: a source through the pipeline, results as they come, until it ends or someone stops it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TypeVar

from edge.audio.block import AudioBlock
from edge.audio.live_source import MAX_RESTARTS, Persistence
from edge.audio.source import AudioSource, StoppedWaiting, open_source
from edge.breath_events import EventRules, TrackingState, finish_tracking, rules_at, track
from edge.bundle import find_bundle, load_bundle, maybe_other_model_note
from edge.engine.engine import open_engine
from edge.errors import AudioDeviceError
from edge.events import Event
from edge.operating_point import chosen_point
from edge.pipeline import Classifier, Pipeline, slider_from_hop
from edge.profiles import load_profile
from edge.recorder.recorded_file import RecordingSession
from edge.recorder.recorder import Recorder, Stream, open_recorder
from edge.recorder.retention import Retention
from edge.results import STANDARD_OUTPUT, Result, open_writer
from edge.results_folder import results_path
from edge.service.heartbeat import open_heartbeat
from edge.stopping import stop_requests
from edge.view.live_view import LiveView, Session
from edge.view.screen import Screen
from edge.view.terminal import has_256_colours, is_terminal

Told = TypeVar("Told")


@dataclass(frozen=True)
class Kept:
    """What remains of the sound afterwards."""

    folder: Path
    retention: Retention


@dataclass(frozen=True)
class ListenOptions:
    """What the command line asks for."""

    device: str
    source: str
    model: Path | None
    engine: str
    hop_s: float
    output: str | None
    """A file, a folder, "-" for standard output, or None: a live view on a terminal, else standard output."""
    realtime: bool
    kept: Kept | None = None
    """None: the sound is not kept."""
    max_restarts: int = MAX_RESTARTS
    """How many attempts in a row to open a failed input again."""
    wait_for_source: bool = False
    """An input that is absent at the start is waited for."""
    operating_point: str | None = None
    """By name; None: the model's default."""


@dataclass(frozen=True)
class Outputs:
    """Who is told of every block, every result and every event."""

    on_block: list[Callable[[AudioBlock], None]] = field(default_factory=list)
    on_result: list[Callable[[Result], None]] = field(default_factory=list)
    on_event: list[Callable[[Event], None]] = field(default_factory=list)

    def add_recorder(self, recorder: Recorder) -> None:
        """Tell it everything, too."""
        self.on_block.append(recorder.take_block)
        self.on_result.append(recorder.take_result)
        self.on_event.append(recorder.take_event)


def listen(options: ListenOptions) -> int:
    """Run until the source ends, or until SIGINT or SIGTERM. Returns the exit code; raises EdgeError."""
    profile = load_profile(options.device)
    bundle = load_bundle(find_bundle(profile, options.model, os.environ))
    point = chosen_point(bundle.operating_points, options.operating_point, bundle.model_id)
    slider_from_hop(options.hop_s, bundle.spec)
    if note := maybe_other_model_note([profile.name], bundle):
        print(note, file=sys.stderr)
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(bundle, options.engine, tell=partial(print, file=sys.stderr)))
        outputs = Outputs()
        heartbeat = opened.enter_context(open_heartbeat(os.environ))
        outputs.on_result.append(heartbeat.take_result)
        outputs.on_block.append(heartbeat.take_block)
        if options.wait_for_source:  # otherwise later, so that a source named wrongly leaves earlier results alone
            _open_writer(options.output, outputs, opened)
        source = _maybe_source(options, outputs)
        if source is None:
            return 0
        opened.enter_context(source)
        outputs.on_result.append(source.take_result)
        classifier = Classifier(profile, bundle, engine, operating_point=point)
        if not options.wait_for_source:
            _open_writer(options.output, outputs, opened)
        if _is_viewed(options.output):
            _open_view(_session(classifier, source), outputs, opened)
        if options.kept is not None:
            recorder = _open_recorder(options.kept, options.realtime, classifier, source, outputs.on_event)
            outputs.add_recorder(opened.enter_context(recorder))
        stopping = opened.enter_context(stop_requests())
        pipeline = Pipeline(classifier, source.name, source.sample_rate_hz, options.hop_s)
        _run(source, pipeline, Tracker(outputs, rules_at(point)), stopping)
    return 0


def _maybe_source(options: ListenOptions, outputs: Outputs) -> AudioSource | None:
    """The source, opened; None where somebody asked to stop before it was there. Raises EdgeError."""
    with stop_requests() as stopping:

        def turn(block: AudioBlock) -> bool:
            if options.wait_for_source:
                _tell(outputs.on_event, block.events)
                _tell([_print_absence], block.events)
                _tell(outputs.on_block, [block])
            return stopping()

        persistence = Persistence(options.max_restarts, options.wait_for_source, turn)
        try:
            source = open_source(options.source, realtime=options.realtime, persistence=persistence)
        except StoppedWaiting:
            return None
        if stopping():
            source.close()
            return None
        return source


def _print_absence(event: Event) -> None:
    if event.name == "source-absent":
        print(f"respire-edge: waiting for {event.source} ({event.fields['reason']})", file=sys.stderr)


@dataclass
class Tracker:
    """Tells results, and the breath sounds that they make."""

    outputs: Outputs
    rules: EventRules
    heard: TrackingState = field(default_factory=TrackingState)

    def tell(self, results: Iterable[Result]) -> None:
        """The next results, each before the events that it ends."""
        for result in results:
            _tell(self.outputs.on_result, [result])
            events, self.heard = track(result, self.heard, self.rules)
            _tell(self.outputs.on_event, events)

    def finish(self) -> None:
        """The events that the end of the stream ends."""
        _tell(self.outputs.on_event, finish_tracking(self.heard, self.rules))


def _run(source: AudioSource, pipeline: Pipeline, tracker: Tracker, stopping: Callable[[], bool]) -> None:
    outputs = tracker.outputs
    given_up: AudioDeviceError | None = None
    try:
        for block in source.blocks():
            _tell(outputs.on_event, block.events)
            results = pipeline.push(block)
            _tell(outputs.on_event, pipeline.take_events())
            tracker.tell(results)
            _tell(outputs.on_block, [block])
            if stopping():
                break
    except AudioDeviceError as error:
        given_up = error
    results = pipeline.finish()
    _tell(outputs.on_event, pipeline.take_events())
    tracker.tell(results)
    tracker.finish()
    if given_up is not None:
        raise given_up


def _tell(listeners: Sequence[Callable[[Told], None]], news: Iterable[Told]) -> None:
    for piece in news:
        for listener in listeners:
            listener(piece)


def _session(classifier: Classifier, source: AudioSource) -> Session:
    return Session(
        device=classifier.profile.name,
        source=source.name,
        model=classifier.bundle.model_id,
        engine=classifier.engine.name,
        sample_rate_hz=source.sample_rate_hz,
        spec=classifier.bundle.spec,
        sections=source.sections,
        encoding=sys.stdout.encoding,
        colours=has_256_colours(os.environ),
        operating_point=_name_of_point(classifier),
    )


def _name_of_point(classifier: Classifier) -> str | None:
    return None if classifier.operating_point is None else classifier.operating_point.name


def _is_viewed(output: str | None) -> bool:
    """On a terminal, unless results go there themselves."""
    return is_terminal(sys.stdout) and output != STANDARD_OUTPUT


def _open_writer(output: str | None, outputs: Outputs, opened: ExitStack) -> None:
    """For a named file, or where nothing is viewed."""
    if output is None and _is_viewed(output):
        return
    target = results_path(output or STANDARD_OUTPUT, datetime.now(timezone.utc))
    writer = opened.enter_context(open_writer(target))
    outputs.on_result.append(writer.write)
    outputs.on_event.append(writer.write_event)


def _open_view(session: Session, outputs: Outputs, opened: ExitStack) -> None:
    view = LiveView(session, opened.enter_context(Screen(sys.stdout)))
    opened.callback(view.finish)
    outputs.on_result.append(view.show_result)
    outputs.on_event.append(view.show_event)
    outputs.on_block.append(view.show_block)


def _open_recorder(
    kept: Kept, live: bool, classifier: Classifier, source: AudioSource, on_event: Sequence[Callable[[Event], None]]
) -> Recorder:
    session = RecordingSession(
        session_id=secrets.token_hex(8),
        device=classifier.profile.name,
        model=classifier.bundle.model_id,
        engine=classifier.engine.name,
        sample_rate_hz=source.sample_rate_hz,
        simulated=bool(source.sections),
        operating_point=_name_of_point(classifier),
    )
    stream = Stream(source.name, source.sample_rate_hz, live)
    return open_recorder(kept.folder, kept.retention, session, stream, lambda event: _tell(on_event, [event]))
