"""`respire-edge score`: recordings through the pipeline as fast as the machine can."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge.bundle import Bundle, find_bundle, load_bundle, maybe_other_model_note
from edge.checksums import MANIFEST_NAME
from edge.engine.engine import open_engine
from edge.errors import InputError, OutputError, ProfileError, RecordingError, UsageError
from edge.operating_point import chosen_point
from edge.pipeline import Classifier, slider_from_hop
from edge.profiles import Profile, load_profile, load_profiles, profile_from_icbhi_token
from edge.report.model_facts import metrics_of
from edge.report.report import check_report, write_report
from edge.results import STANDARD_OUTPUT
from edge.scoring.collected_output import RECORDS_SUFFIX, CollectedOutput, records_in
from edge.scoring.journal import Done, Journal, begin_journal, journal_path, resume_journal
from edge.scoring.recording_list import list_recordings
from edge.scoring.scored_file import StoppedScoring, Task, signature_of, until_stopped
from edge.scoring.summary import Tally, summary_lines
from edge.scoring.worker_pool import Scored, score_in_order
from edge.scoring.worker_program import start_message
from edge.stopping import StopRequest, stop_requests
from edge.view.progress import Progress

AUTOMATIC_DEVICE = "auto"
"""Each file's stethoscope is read from its ICBHI file name."""
STOPPED = 128
"""Added to a signal's number, it is the exit code, as shells report it."""


@dataclass(frozen=True)
class ScoreOptions:
    """What the command line asks for."""

    paths: Sequence[Path]
    device: str
    model: Path | None
    cycles: bool
    """One result for each annotated cycle instead of one for each hop."""
    hop_s: float | None
    """None: half a window."""
    output: str | None
    """A file; None or "-" for standard output."""
    jobs: int
    """How many recordings at a time."""
    resume: bool = False
    """Go on where a run with the same output was cut off."""
    report: Path | None = None
    """A page for people about all of it."""
    report_audio: bool = False
    """The page holds the sound, too."""
    operating_point: str | None = None
    """By name; None: each model's default."""


@dataclass(frozen=True)
class Work:
    """All that is to be done, in the order of the output."""

    tasks: Sequence[Task]
    classifiers: Mapping[str, Classifier]
    """By the stethoscope's name."""

    @property
    def operating_points(self) -> dict[str, str]:
        """The point's name, by the stethoscope's; those whose model has none are left out."""
        return {name: each.operating_point.name for name, each in self.classifiers.items() if each.operating_point}


def score(options: ScoreOptions) -> int:
    """Score every recording. Returns 0, 1 where some could not be scored, or 128 and a signal's number where one ended
    the run; raises SetupError.
    """
    begin_s = time.perf_counter()
    with ExitStack() as opened:
        work = _plan(options, opened)
        output = opened.enter_context(CollectedOutput(options.output or STANDARD_OUTPUT, _more_records(options)))
        if options.report is not None:
            check_report(options.report)
        journal, done = _open_journal(options, work)
        if journal is not None:
            opened.callback(journal.close)
        output.open(done[-1].ends if done else None)
        tally = Tally([])
        for each in done:
            tally.add(each.score)
        stopping = opened.enter_context(stop_requests())
        try:
            _score_rest(work, len(done), options.jobs, Written(output, journal, tally), stopping)
            if options.report is not None:
                _report(options, options.report, output, work, stopping)
        except StoppedScoring:
            return _stopped(tally, work, journal, stopping)
        if journal is not None:
            journal.remove()
    print(*summary_lines(tally, time.perf_counter() - begin_s, work.operating_points), sep="\n", file=sys.stderr)
    return 1 if tally.errors else 0


@dataclass(frozen=True)
class Written:
    """Where what comes of a recording is kept."""

    output: CollectedOutput
    journal: Journal | None
    tally: Tally

    def add(self, scored: Scored) -> None:
        """Keep one more recording; nothing of it is lost when this returns."""
        with scored.records:
            ends = self.output.add(scored.records)
        if self.journal is not None:
            self.journal.add(Done(scored.signature, ends, scored.score))
        self.tally.add(scored.score)


def _score_rest(work: Work, first: int, jobs: int, written: Written, stopping: StopRequest) -> None:
    """Score the tasks from number `first` on. Raises StoppedScoring soon after `stopping` says so."""
    tasks, start = work.tasks[first:], start_message(work.classifiers)
    progress = Progress(sys.stderr, len(tasks))
    try:
        with closing(score_in_order(tasks, jobs, start, stopping)) as all_scored:
            for scored in all_scored:
                progress.erase()
                written.add(scored)
                progress.advance()
                if stopping():
                    raise StoppedScoring
    finally:
        progress.erase()


def _stopped(tally: Tally, work: Work, journal: Journal | None, stopping: StopRequest) -> int:
    done = tally.files + len(tally.errors)
    how = "; add --resume to go on" if journal is not None else ""
    print(f"respire-edge: stopped after {done} of {len(work.tasks)} recordings{how}", file=sys.stderr)
    return STOPPED + stopping.signal_number


def _report(options: ScoreOptions, path: Path, output: CollectedOutput, work: Work, stopping: StopRequest) -> None:
    metrics = {each.bundle.model_id: metrics_of(each.bundle) for each in work.classifiers.values()}
    if (records := output.records_path) is None:
        raise OutputError(f"{path}: no records to report on")
    write_report(path, until_stopped(records_in(records), stopping), with_audio=options.report_audio, metrics=metrics)
    if records == _more_records(options):
        records.unlink()


def _more_records(options: ScoreOptions) -> Path | None:
    """A file that holds every record for the report, where the output itself does not."""
    if options.report is None or Path(options.output or "").suffix.lower() == ".jsonl":
        return None
    return options.report.with_name(options.report.name + RECORDS_SUFFIX)


def _open_journal(options: ScoreOptions, work: Work) -> tuple[Journal | None, list[Done]]:
    """The journal, none where results go to standard output; and what a run that was cut off has done."""
    if options.output in (None, STANDARD_OUTPUT):
        if options.resume:
            raise UsageError("--resume goes on with a file; name it with --output")
        return None, []
    path = journal_path(Path(options.output or ""))
    asked = _asked(options, work)
    if not path.exists():
        return begin_journal(path, asked), []
    if not options.resume:
        raise UsageError(f"{path}: a run was cut off here; add --resume to go on, or remove the journal to start anew")
    journal, done = resume_journal(path, asked)
    for task, each in zip(work.tasks, done, strict=False):
        if signature_of(task) != each.signature:
            journal.close()
            raise UsageError(f"{task.file}: changed since it was scored; remove {path} to start anew")
    return journal, done


def _asked(options: ScoreOptions, work: Work) -> dict[str, Any]:
    """All that the output depends on but the recordings' content."""
    names = "\n".join(f"{task.file}" for task in work.tasks).encode("utf-8", "surrogateescape")
    return {
        "device": options.device,
        "models": {name: _asked_of_model(classifier) for name, classifier in work.classifiers.items()},
        "operating point": work.operating_points or None,  # None as in journals of versions without
        "cycles": options.cycles,
        "hop": options.hop_s,
        "report": options.report is not None,
        "recordings": hashlib.sha256(names).hexdigest(),
    }


def _asked_of_model(classifier: Classifier) -> dict[str, Any]:
    manifest = (classifier.bundle.folder / MANIFEST_NAME).read_bytes()  # names every other file by its checksum
    return {
        "manifest": hashlib.sha256(manifest).hexdigest(),
        "engine": classifier.engine.name,
        "limits": asdict(classifier.profile.quality),
    }


def _plan(options: ScoreOptions, opened: ExitStack) -> Work:
    files, empty = list_recordings(options.paths)
    profiles = _profiles_of(files, options.device)
    known = {profile.name: profile for profile in profiles.values() if isinstance(profile, Profile)}
    classifiers = _open_classifiers(known.values(), options, opened)
    tasks = [_task(file, profile, classifiers, options) for file, profile in profiles.items()]
    return Work([*tasks, *(_failed(path, error, options) for path, error in empty)], classifiers)


def _task(
    file: Path, profile: Profile | InputError, classifiers: Mapping[str, Classifier], options: ScoreOptions
) -> Task:
    if not isinstance(profile, Profile):
        return _failed(file, profile, options)
    classifier = classifiers[profile.name]
    return Task(file, classifier, _hop_s(options, classifier.bundle), options.cycles)


def _failed(file: Path, error: InputError, options: ScoreOptions) -> Task:
    return Task(file, None, 0.0, options.cycles, str(error))


def _profiles_of(files: Iterable[Path], device: str) -> dict[Path, Profile | InputError]:
    """The stethoscope of each file, or why its name does not tell."""
    if device != AUTOMATIC_DEVICE:
        return dict.fromkeys(files, load_profile(device))
    by_token = {profile.icbhi_token: profile for profile in load_profiles().values()}
    return {file: _profile_or_error(file, by_token) for file in files}


def _profile_or_error(file: Path, by_token: Mapping[str | None, Profile]) -> Profile | InputError:
    try:
        return by_token.get(file.stem.rsplit("_", 1)[-1]) or profile_from_icbhi_token(str(file))
    except ProfileError as error:
        return RecordingError(str(error))


def _open_classifiers(profiles: Iterable[Profile], options: ScoreOptions, opened: ExitStack) -> dict[str, Classifier]:
    """One for each stethoscope, by its name; stethoscopes with the same bundle share its engine."""
    by_name = {profile.name: profile for profile in profiles}
    folders = {name: find_bundle(profile, options.model, os.environ) for name, profile in by_name.items()}
    classifiers: dict[str, Classifier] = {}
    for folder in dict.fromkeys(folders.values()):
        bundle = load_bundle(folder)
        point = chosen_point(bundle.operating_points, options.operating_point, bundle.model_id)
        slider_from_hop(_hop_s(options, bundle), bundle.spec)
        engine = opened.enter_context(open_engine(bundle, tell=partial(print, file=sys.stderr)))
        names = [name for name in by_name if folders[name] == folder]
        if note := maybe_other_model_note(names, bundle):
            print(note, file=sys.stderr)
        classifiers |= {name: Classifier(by_name[name], bundle, engine, operating_point=point) for name in names}
    return classifiers


def _hop_s(options: ScoreOptions, bundle: Bundle) -> float:
    return bundle.spec.window_s / 2 if options.hop_s is None else options.hop_s
