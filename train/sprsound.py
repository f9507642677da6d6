"""Reader of SPRSound (Zhang et al., 2022): children's lung sounds with event annotations, one stethoscope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.labels import LABELS
from train.errors import DatasetError
from train.recording import Annotation, Recording

DEVICE = "YuntingII"
"""The one stethoscope of the set."""

LABEL_BY_TYPE = {
    "Normal": "normal",
    "Fine Crackle": "crackle",
    "Coarse Crackle": "crackle",
    "Wheeze": "wheeze",
    "Rhonchi": "wheeze",
    "Stridor": "wheeze",
    "Wheeze+Crackle": "both",
}
"""Rhonchi and stridor are continuous sounds, as wheezes are; ICBHI has no word of its own for either."""

_PATIENT_DIGITS = 8
_AUDIO_SUFFIXES = (".wav", ".flac")


def read_sprsound(folder: Path) -> list[Recording]:
    """Every recording of an SPRSound folder, sorted by name; those without an event have no annotations.

    Annotations (`.json`) and audio are paired by name anywhere below `folder`, so both the published layout
    (`train_json/` and `train_wav/`) and files side by side are read. Raises DatasetError.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; give the root of SPRSound")
    audio = {path.stem: path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _AUDIO_SUFFIXES}
    texts = sorted(path for path in folder.rglob("*.json") if path.stem[:_PATIENT_DIGITS].isdigit())
    if not texts:
        raise DatasetError(f"{folder} is not an SPRSound folder: no annotation like 40069321_15.3_0_p1_981.json in it")
    return [_read_recording(path, folder, audio) for path in texts]


def _read_recording(text_path: Path, root: Path, audio: Mapping[str, Path]) -> Recording:
    # The names contain dots ("15.3"), so the audio's name is looked up, never made with with_suffix.
    audio_path = audio.get(text_path.stem)
    if audio_path is None:
        raise DatasetError(f"{text_path} has no recording {text_path.stem}.wav or .flac below {root}")
    return Recording(
        name=text_path.stem,
        audio_path=audio_path,
        dataset="sprsound",
        subset=_subset(text_path, root),
        patient=text_path.stem[:_PATIENT_DIGITS],
        device=DEVICE,
        annotations=_read_annotations(text_path),
    )


def _subset(text_path: Path, root: Path) -> str:
    folders = [root.name, *text_path.relative_to(root).parts[:-1]]
    known = [name for part in folders for name in ("train", "intra", "inter") if part.startswith(name)]
    return known[-1] if known else ""


def _read_annotations(path: Path) -> tuple[Annotation, ...]:
    try:
        events = json.loads(path.read_text(encoding="utf-8"))["event_annotation"]
        return tuple(_annotation_from_event(event) for event in events)
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not an SPRSound annotation: {error!r}") from None


def _annotation_from_event(event: Mapping[str, Any]) -> Annotation:
    start_s, end_s = float(event["start"]) / 1000, float(event["end"]) / 1000
    if not 0 <= start_s < end_s:
        raise ValueError(f"an event from {start_s} s to {end_s} s")
    return Annotation(start_s, end_s, LABELS.index(LABEL_BY_TYPE[event["type"]]))
