"""`respire-edge score`: recordings through the pipeline as fast as the machine can."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.annotated_cycles import results_from_cycles
from edge.annotations import annotations_beside, check_within, read_annotations
from edge.audio.recording import RecordingSource, read_recording
from edge.bundle import Bundle, find_bundle, load_bundle, maybe_other_model_note
from edge.engine.engine import open_engine
from edge.errors import InputError, ProfileError, RecordingError
from edge.pipeline import Classifier, Pipeline, slider_from_hop
from edge.profiles import Profile, load_profile, load_profiles, profile_from_icbhi_token
from edge.progress import Progress
from edge.recording_list import list_recordings
from edge.results import STANDARD_OUTPUT, open_writer
from edge.score_summary import FileScore, Tally, summary_lines

AUTOMATIC_DEVICE = "auto"
"""Each file's stethoscope is read from its ICBHI file name."""


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


def score(options: ScoreOptions) -> int:
    """Score every recording. Returns 0, or 1 where some could not be scored; raises SetupError."""
    files, errors = list_recordings(options.paths)
    profiles = _profiles_of(files, options.device, errors)
    tally = Tally(errors)
    begin_s = time.perf_counter()
    with ExitStack() as opened:
        classifiers = _open_classifiers(profiles.values(), options, opened)
        writer = opened.enter_context(open_writer(options.output or STANDARD_OUTPUT))
        progress = Progress(sys.stderr, len(profiles))
        opened.callback(progress.erase)

        def work(file: Path) -> FileScore:
            return _score_file(file, classifiers[profiles[file].name], options)

        for file_score in opened.enter_context(closing(_in_order(work, profiles, options.jobs))):
            progress.erase()
            for result in file_score.results:
                writer.write(result)
            tally.add(file_score)
            progress.advance()
    print(*summary_lines(tally, time.perf_counter() - begin_s), sep="\n", file=sys.stderr)
    return 1 if tally.errors else 0


def _profiles_of(files: Iterable[Path], device: str, errors: list[InputError]) -> dict[Path, Profile]:
    """The stethoscope of each file; a file that does not tell is added to `errors` instead."""
    if device != AUTOMATIC_DEVICE:
        return dict.fromkeys(files, load_profile(device))
    load_profiles()  # a broken profile stops the run here; below, only a file's own name can be at fault
    profiles: dict[Path, Profile] = {}
    for file in files:
        try:
            profiles[file] = profile_from_icbhi_token(str(file))
        except ProfileError as error:
            errors.append(RecordingError(str(error)))
    return profiles


def _open_classifiers(profiles: Iterable[Profile], options: ScoreOptions, opened: ExitStack) -> dict[str, Classifier]:
    """One for each stethoscope, by its name; stethoscopes with the same bundle share its engine."""
    by_name = {profile.name: profile for profile in profiles}
    folders = {name: find_bundle(profile, options.model, os.environ) for name, profile in by_name.items()}
    classifiers: dict[str, Classifier] = {}
    for folder in dict.fromkeys(folders.values()):
        bundle = load_bundle(folder)
        slider_from_hop(_hop_s(options, bundle), bundle.spec)
        engine = opened.enter_context(open_engine(bundle, tell=partial(print, file=sys.stderr)))
        names = [name for name in by_name if folders[name] == folder]
        if note := maybe_other_model_note(names, bundle):
            print(note, file=sys.stderr)
        classifiers |= {name: Classifier(by_name[name], bundle, engine) for name in names}
    return classifiers


def _in_order(work: Callable[[Path], FileScore], files: Iterable[Path], jobs: int) -> Generator[FileScore, None, None]:
    """What comes of each file, in their order, `jobs` at a time. Closing it drops what has not begun.

    Threads suffice: NumPy and the engine do their work outside the interpreter's lock.
    """
    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(work, files)
    finally:
        pool.shutdown(cancel_futures=True)


def _score_file(file: Path, classifier: Classifier, options: ScoreOptions) -> FileScore:
    try:
        return _score_cycles(file, classifier) if options.cycles else _score_windows(file, classifier, options)
    except InputError as error:
        return FileScore(error=error)


def _score_windows(file: Path, classifier: Classifier, options: ScoreOptions) -> FileScore:
    with RecordingSource(file) as source:
        pipeline = Pipeline(classifier, source.name, source.sample_rate_hz, _hop_s(options, classifier.bundle))
        heard_samples = 0
        results = []
        for block in source.blocks():
            heard_samples += block.samples.size
            results += pipeline.push(block)
        return FileScore([*results, *pipeline.finish()], heard_samples / source.sample_rate_hz)


def _score_cycles(file: Path, classifier: Classifier) -> FileScore:
    annotations = annotations_beside(file)
    recording = read_recording(file)
    sound_s = recording.samples.size / recording.sample_rate_hz
    cycles = read_annotations(annotations)
    check_within(cycles, sound_s, annotations)
    return FileScore(list(results_from_cycles(classifier, str(file), recording, cycles)), sound_s)


def _hop_s(options: ScoreOptions, bundle: Bundle) -> float:
    return bundle.spec.window_s / 2 if options.hop_s is None else options.hop_s
