"""The report of `respire-edge score --report`: one page for people, which needs nothing but itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import IO, Any

from edge.audio.recording import RecordingSource
from edge.bundle import list_bundles, load_bundle
from edge.errors import BundleError, OutputError, ProfileError, RecordingError
from edge.private_file import open_private
from edge.profiles import load_profiles
from edge.report.card import Look, card
from edge.report.excerpts import MAX_EXCERPT_S, Cutter, Excerpt, choose_excerpts
from edge.report.findings import Findings, Record
from edge.report.model_facts import metrics_of
from edge.report.overview import Row, row
from edge.report.page import closing, opening
from edge.report.spectrogram import spectrogram
from edge.report.text import length
from edge.signal.conditioning import condition, design_conditioner, finish_conditioning
from edge.signal.spec import COMPACT, FeatureSpec

ENDING = ".html"
PICTURE_SPEC = COMPACT
"""The released models' features; a model with others gets the same picture, which is for people."""
MAX_PAGE_AUDIO_S = 20_000.0
"""Sound in one page: 160 MB, as text 213 MB. Browsers open that; several times as much they may not."""
HOW_TO_HEAR = "The sound is not in it; respire-edge score … --report-audio puts it there."


def check_report(path: Path) -> None:
    """Raise OutputError where no report can be written to `path`, before hours of work go into it."""
    if path.suffix.lower() != ENDING:
        raise OutputError(f"{path}: a report is a page; choose a name that ends in {ENDING}")
    if path.is_dir():
        raise OutputError(f"{path}: a folder is there; choose another name for the report")
    with _failures_named(path), _page_in_progress(path):
        pass


def write_report(
    path: Path,
    records: Iterable[Record],
    *,
    with_audio: bool,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    made_on: date | None = None,
) -> None:
    """Write the page about `records`, the JSON objects of `score` in their order, to `path`, for its owner alone.

    Each recording is read again, as a stream, for its picture and, `with_audio`, its sound; one that cannot be read any
    more gets a card that says so. `metrics` are those of the models' manifests by model id; None looks for them where
    models are looked for. Memory grows with the number of recordings only by their lines in the table. The page appears
    under its name when it is complete. Raises OutputError.
    """
    known = _metrics_of_models() if metrics is None else metrics
    titles = _device_titles()
    audio_left_s = MAX_PAGE_AUDIO_S if with_audio else 0.0
    rows: list[Row] = []
    with _failures_named(path), _temporary_text(path.parent) as cards:
        for number, findings in enumerate(findings_from_records(records), start=1):
            excerpts, note = _choose_sound(findings, with_audio, audio_left_s)
            audio_left_s -= sum(excerpt.end_s - excerpt.start_s for excerpt in excerpts)
            look = _look_or_reason(findings, excerpts, note)
            cards.write(card(findings, f"r{number}", titles.get(findings.device, findings.device), look))
            rows.append(row(findings, f"r{number}"))
        cards.seek(0)
        with _page_in_progress(path) as page:
            sound_note = "" if with_audio else HOW_TO_HEAR
            page.write(opening(rows, known, PICTURE_SPEC, made_on or date.today(), sound_note))
            shutil.copyfileobj(cards, page)
            page.write(closing())
            page.flush()
            os.fsync(page.fileno())
            Path(page.name).replace(path)


def findings_from_records(records: Iterable[Record]) -> Iterator[Findings]:
    """What was found in each recording, in order; a recording ends with its `file` or `error` record."""
    findings: Findings | None = None
    for record in records:
        if findings is None or findings.source != record["source"]:
            findings = Findings(str(record["source"]))
        findings.add(record)
        if record.get("record") in ("file", "error"):
            yield findings
            findings = None


def look_at(path: Path, excerpts: Iterable[Excerpt], spec: FeatureSpec, audio_note: str = "") -> Look:
    """The picture and the sound of a recording, read once, as a stream. Raises RecordingError."""
    cutter = Cutter(list(excerpts), spec.sample_rate_hz)

    def heard() -> Iterator[Any]:
        for sound in _conditioned_sound(path, spec):
            cutter.add(sound)
            yield sound

    return Look(spectrogram(heard(), spec), spec, cutter.clips(), audio_note)


def _conditioned_sound(path: Path, spec: FeatureSpec) -> Iterator[Any]:
    with RecordingSource(path) as source:
        conditioner = design_conditioner(source.sample_rate_hz, spec)
        state = conditioner.initial_state()
        for block in source.blocks():
            sound, state = condition(block.samples, state, conditioner)
            yield sound
        yield finish_conditioning(state, conditioner)


def _look_or_reason(findings: Findings, excerpts: list[Excerpt], note: str) -> Look | str:
    if findings.error is not None:
        return findings.error
    try:
        return look_at(Path(findings.source), excerpts, PICTURE_SPEC, note)
    except RecordingError as error:
        return str(error)


def _choose_sound(findings: Findings, with_audio: bool, left_s: float) -> tuple[list[Excerpt], str]:
    """What shall be heard of a recording, and what is said about the rest."""
    if findings.error is not None or not with_audio:
        return [], ""
    limit_s = min(MAX_EXCERPT_S, left_s)
    if limit_s < min(findings.sound_s, MAX_EXCERPT_S):
        return [], "No sound here: this page holds as much as it can. Make a report of fewer recordings."
    excerpts = choose_excerpts(findings.sound_s, findings.flagged.found, limit_s)
    left_out_s = findings.sound_s - sum(excerpt.end_s - excerpt.start_s for excerpt in excerpts)
    if left_out_s < 1 / PICTURE_SPEC.sample_rate_hz:
        return excerpts, ""
    chosen = "what lies around the most probable abnormal windows" if findings.abnormal else "the beginning"
    return excerpts, f"Of this long recording only {chosen} can be heard here; {length(left_out_s)} are left out."


def _device_titles() -> dict[str, str]:
    try:
        return {name: profile.title for name, profile in load_profiles().items()}
    except ProfileError:  # the recordings are scored by now; a profile broken meanwhile costs a title only
        return {}


def _metrics_of_models() -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    with suppress(BundleError):  # what is known of a model is told where it can be; the findings stand without it
        for folder in list_bundles(None, os.environ):
            with suppress(BundleError):
                bundle = load_bundle(folder)
                found[bundle.model_id] = metrics_of(bundle)
    return found


@contextmanager
def _page_in_progress(path: Path) -> Iterator[IO[str]]:
    """A new file beside `path`, gone afterwards unless it was renamed; one that a killed run left is taken away."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open_private(partial, "x", encoding="utf-8", newline="\n") as file:
            yield file
    finally:
        partial.unlink(missing_ok=True)


def _temporary_text(folder: Path) -> IO[str]:
    """A file without a name, for its owner alone, gone when it is closed."""
    return tempfile.TemporaryFile("w+", dir=folder, encoding="utf-8", newline="\n")


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: the report cannot be written ({error.strerror}); choose another place") from error
