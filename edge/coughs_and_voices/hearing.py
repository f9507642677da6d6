"""A stream, frame by frame: which of its frames are in a cough, which in a voice, and which coughs have ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge.coughs_and_voices.coughs import Cough, Coughing, finish_coughs, follow_coughs
from edge.coughs_and_voices.detector import (
    COUGH,
    FRAMES_AFTER,
    FRAMES_BEFORE,
    VOICE,
    Detector,
    likelihoods,
    load_detector,
)
from edge.coughs_and_voices.features import (
    FEATURES,
    FRAME_SAMPLES,
    HOP_S,
    SAMPLE_RATE_HZ,
    FrameState,
    features_of,
    initial_frames,
    skip_silence,
)

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

COUGH_LIKELIHOOD = 0.3
VOICE_LIKELIHOOD = 0.25
"""From these on a frame counts. Both chosen on out-of-fold answers: docs/quality.md."""
DECIDED_AFTER_S = FRAMES_AFTER * HOP_S + FRAME_SAMPLES / 2 / SAMPLE_RATE_HZ
"""A frame's centre is so far back when the last sample that decides about it arrives."""


def _no_features() -> Float32:
    return np.zeros((FRAMES_BEFORE, FEATURES), np.float32)


def _no_frames() -> Bools:
    return np.zeros((0, 2), np.bool_)


@dataclass(frozen=True)
class Hearing:
    """What a stream must remember between chunks."""

    detector: Detector = field(default_factory=load_detector)
    frames: FrameState = field(default_factory=initial_frames)
    features: Float32 = field(default_factory=_no_features)
    """float32 [k, FEATURES]: of the frames that later ones, or the detector, still need."""
    first_frame: int = 0
    """Number in the stream of the first frame in `decided`."""
    decided: Bools = field(default_factory=_no_frames)
    """bool [n, 2]: in a cough, in a voice."""
    coughing: Coughing = field(default_factory=Coughing)
    coughs: tuple[Cough, ...] = ()
    """Ended, and not taken yet."""


def extend_hearing(hearing: Hearing, chunk: Float32) -> Hearing:
    """With the next conditioned samples, float32 [n] at `SAMPLE_RATE_HZ`; how a stream is cut changes nothing."""
    features, frames = features_of(chunk, hearing.frames)
    known = np.vstack([hearing.features, features])
    count = len(known) - FRAMES_BEFORE - FRAMES_AFTER
    if count <= 0:
        return replace(hearing, frames=frames, features=known)
    likely = likelihoods(known, hearing.detector)
    return replace(_with_decisions(hearing, likely), frames=frames, features=known[count:])


def extend_hearing_with_silence(hearing: Hearing, samples: int) -> Hearing:
    """With so many zeros behind at least `FRAMES_BEFORE` and `FRAMES_AFTER` frames of them, without computing."""
    frames, count = skip_silence(hearing.frames, samples)
    likely = np.zeros((count, 3), np.float32)
    return replace(_with_decisions(hearing, likely), frames=frames)


def finish_hearing(hearing: Hearing) -> Hearing:
    """At the end of the stream: what was not decided yet, as if silence followed."""
    rest = np.zeros(round(DECIDED_AFTER_S * SAMPLE_RATE_HZ), np.float32)
    finished = extend_hearing(hearing, rest)
    return replace(finished, coughs=(*finished.coughs, *finish_coughs(finished.coughing)), coughing=Coughing())


def take_coughs(hearing: Hearing) -> tuple[tuple[Cough, ...], Hearing]:
    """The coughs that have ended since they were last taken, and the state without them."""
    return hearing.coughs, replace(hearing, coughs=()) if hearing.coughs else hearing


def hearing_from(hearing: Hearing, start_s: float) -> Hearing:
    """Without the decisions before that time."""
    cut = min(max(int(start_s / HOP_S) - hearing.first_frame, 0), len(hearing.decided))
    return replace(hearing, first_frame=hearing.first_frame + cut, decided=hearing.decided[cut:].copy())


@dataclass(frozen=True)
class Heard:
    """Of one stretch of a stream."""

    cough_s: float = 0.0
    voice_s: float = 0.0


def heard_by(hearing: Hearing, start_s: float, end_s: float) -> Heard:
    """As `heard_between`, of the frames that were decided when the sound up to `end_s` had arrived: what may be said
    of a window there and then, whatever has arrived since.
    """
    return heard_between(hearing, start_s, end_s - DECIDED_AFTER_S)


def heard_between(hearing: Hearing, start_s: float, end_s: float) -> Heard:
    """Seconds of coughs and of voices between two times, as far as their frames are decided."""
    first = int(np.ceil(start_s / HOP_S - 1e-6)) - hearing.first_frame
    end = int(np.ceil(end_s / HOP_S - 1e-6)) - hearing.first_frame
    own = hearing.decided[max(first, 0) : max(end, 0)]
    cough, voice = (round(float(count) * HOP_S, 6) for count in own.sum(axis=0))
    return Heard(cough, voice)


def _with_decisions(hearing: Hearing, likely: Float32) -> Hearing:
    first = hearing.first_frame + len(hearing.decided)
    decided = np.stack([likely[:, COUGH] >= COUGH_LIKELIHOOD, likely[:, VOICE] >= VOICE_LIKELIHOOD], axis=1)
    coughs, coughing = follow_coughs(likely, first, hearing.coughing)
    known = np.vstack([hearing.decided, decided])
    return replace(hearing, decided=known, coughs=(*hearing.coughs, *coughs), coughing=coughing)
