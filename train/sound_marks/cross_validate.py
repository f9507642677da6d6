"""How well coughs and voices are found in patients whom the detector never heard: eight folds by patient.

`python -m train.sound_marks.cross_validate --data FOLDER --jobs 2` takes some ten minutes on two cores and prints
Markdown. Each recording is heard by the detector that was fitted without its patient, through the device's own code.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from edge.coughs_and_voices.detector import Detector, read_detector
from edge.coughs_and_voices.features import SAMPLE_RATE_HZ
from edge.coughs_and_voices.hearing import Hearing, extend_hearing, finish_hearing, heard_between
from edge.profiles import profile_from_icbhi_token
from train.sound_marks.examples import FOLDS, MARKED_STETHOSCOPE, Example, Sound, make_examples, read_sounds
from train.sound_marks.fit import SEED, STEPS
from train.sound_marks.fitting import fit, write_detector
from train.sound_marks.marks import Mark

STRETCHES_S = (1.0, 5.0)
LEAST_MARKED_S = 0.2
KINDS = {"cough": ("cough",), "voice": ("voice", "cry")}


@dataclass(frozen=True)
class HeardSound:
    """A recording with what was heard in it."""

    sound: Sound
    hearing: Hearing


def main(argv: list[str] | None = None) -> int:
    """Fit each fold's detector, and print what they hear."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds icbhi/, icbhi_4khz/ and sprsound/")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=1, help="how many folds at a time")
    parser.add_argument("--detectors", type=Path, help="folder that keeps the folds' detectors, or has them already")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)  # before the fork, after which a pool of threads would hang
    sounds = read_sounds(options.data, options.seed)
    examples = [] if _has_all(options.detectors) else list(make_examples(sounds, options.seed))
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        fold_detector = partial(_fold_detector, examples=examples, seed=options.seed, kept=options.detectors)
        detectors = list(pool.map(fold_detector, range(FOLDS)))
    heard = [hear(sound, detectors[sound.fold]) for sound in sounds if not sound.is_copy]
    print_refused(heard)
    print()
    print_counted(heard)
    return 0


def _has_all(kept: Path | None) -> bool:
    return kept is not None and all((kept / f"fold-{fold}.npz").is_file() for fold in range(FOLDS))


def _fold_detector(fold: int, examples: Sequence[Example], seed: int, kept: Path | None) -> Detector:
    path = kept / f"fold-{fold}.npz" if kept else None
    if path is not None and path.is_file():
        return read_detector(path)
    detector = fit([example for example in examples if example.fold != fold], STEPS, seed)
    if path is not None:
        write_detector(detector, path)
    return detector


def hear(sound: Sound, detector: Detector) -> HeardSound:
    """The whole recording, as a stream."""
    return HeardSound(sound, finish_hearing(extend_hearing(Hearing(detector), sound.samples)))


def print_refused(heard: Sequence[HeardSound]) -> None:
    """Shares of stretches with marks, and without, that are refused."""
    print("| stretches of | of | with a cough, refused for it, at all | with a voice | free, for a cough, a voice |")
    print("| --- | --- | --- | --- | --- |")
    others = [each for each in heard if each.sound.stethoscope != MARKED_STETHOSCOPE]
    groups = {name: [each for each in heard if each.sound.stethoscope == name] for name in _names(heard)}
    for length_s in STRETCHES_S:
        for name, own in {**groups, "all but Litt3200": others}.items():
            judged = [each for one in own for each in _judged(one, length_s)]
            cells = [_marked_cell(judged, kind) for kind in KINDS] + [_free_cell(judged)]
            print(f"| {length_s:g} s | {name} | {' | '.join(cells)} |")


def print_counted(heard: Sequence[HeardSound]) -> None:
    """Coughs marked, counted, and counted where one is marked, by patient; of the others, coughs counted an hour."""
    print("| patient | coughs marked | counted | of these marked |\n| --- | --- | --- | --- |")
    counts: dict[str, np.ndarray[tuple[int], np.dtype[np.int_]]] = {}
    for each in heard:
        if each.sound.stethoscope == MARKED_STETHOSCOPE:
            patient = each.sound.name.split("_")[0]
            counts[patient] = counts.get(patient, np.zeros(3, np.int_)) + _counts(each)
    for patient, (marked, counted, found) in {**counts, "all": np.sum(list(counts.values()), axis=0)}.items():
        print(f"| {patient} | {marked} | {counted} | {found} |")
    print("\n| recordings of | hours | coughs counted an hour |\n| --- | --- | --- |")
    for name in _names(heard):
        own = [each for each in heard if each.sound.stethoscope == name]
        hours = sum(each.sound.samples.size for each in own) / SAMPLE_RATE_HZ / 3600
        print(f"| {name} | {hours:.2f} | {sum(len(each.hearing.coughs) for each in own) / hours:.0f} |")


@dataclass(frozen=True)
class Judged:
    """One stretch: which kinds are marked in it, if it is free of all, and which it is refused for."""

    marked: frozenset[str]
    is_free: bool
    refused: frozenset[str]


def _judged(each: HeardSound, length_s: float) -> Iterable[Judged]:
    duration_s = each.sound.samples.size / SAMPLE_RATE_HZ
    for start_s in np.arange(0, max(duration_s - length_s, 0) + 1e-6, 1.0).tolist():
        span = (start_s, start_s + length_s)
        inside = {kind: _marked_s(each.sound.marks, kinds, span) for kind, kinds in KINDS.items()}
        doubtful = _marked_s(each.sound.marks, ("unsure",), (span[0] - 0.1, span[1] + 0.1)) > 0
        seconds = heard_between(each.hearing, *span)
        values = {"cough": seconds.cough_s, "voice": seconds.voice_s}
        limits = _limits(each.sound.stethoscope)
        yield Judged(
            frozenset(kind for kind, marked_s in inside.items() if marked_s >= LEAST_MARKED_S),
            not doubtful and not any(inside.values()),
            frozenset(kind for kind, value in values.items() if value > limits[kind]),
        )


@lru_cache(maxsize=8)
def _limits(stethoscope: str) -> dict[str, float]:
    """Of the stethoscope's profile; SPRSound's has none, and is judged as most are."""
    quality = profile_from_icbhi_token(stethoscope if stethoscope != "sprsound" else "Meditron").quality
    return {"cough": quality.cough_s or 0.0, "voice": quality.voice_s or 0.0}


def _marked_s(marks: Sequence[Mark], kinds: Sequence[str], span_s: tuple[float, float]) -> float:
    shared = (min(mark.end_s, span_s[1]) - max(mark.start_s, span_s[0]) for mark in marks if mark.kind in kinds)
    return sum(part for part in shared if part > 0)


def _counts(each: HeardSound) -> np.ndarray[tuple[int], np.dtype[np.int_]]:
    """Marked, counted outside what is unsure, found: a counted cough stands for one mark at most."""
    marks = [mark for mark in each.sound.marks if mark.kind == "cough"]
    coughs = [
        cough
        for cough in each.hearing.coughs
        if _marked_s(each.sound.marks, ("unsure",), (cough.start_s, cough.end_s)) < (cough.end_s - cough.start_s) / 2
    ]
    free, found = list(coughs), 0
    for mark in marks:
        same = [cough for cough in free if _marked_s([mark], ("cough",), (cough.start_s, cough.end_s)) > 0.05]
        if same:
            free.remove(same[0])
            found += 1
    return np.array([len(marks), len(coughs), found])


def _names(heard: Iterable[HeardSound]) -> list[str]:
    return sorted({each.sound.stethoscope for each in heard})


def _marked_cell(judged: Sequence[Judged], kind: str) -> str:
    own = [each for each in judged if kind in each.marked]
    if not own:
        return "-"
    return f"{len(own)}: {_share(kind in each.refused for each in own)}, {_share(bool(each.refused) for each in own)}"


def _free_cell(judged: Sequence[Judged]) -> str:
    own = [each for each in judged if each.is_free]
    return f"{len(own)}: " + ", ".join(_share(kind in each.refused for each in own) for kind in KINDS) if own else "-"


def _share(holds: Iterable[bool]) -> str:
    return f"{np.mean(list(holds)):.1%}"


if __name__ == "__main__":
    raise SystemExit(main())
