"""From sound to results: conditioning, windows, images, network, quality, decision; for listening and for scoring."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.bundle import Bundle
from edge.decision import calibrate, decide
from edge.engine.engine import Engine
from edge.errors import UsageError
from edge.faults import FaultCounts, FaultTrace, count_faults, extend_trace, trace_from
from edge.labels import LABELS
from edge.profiles import Profile
from edge.quality import judge_quality
from edge.results import Result
from edge.signal.conditioning import condition, design_conditioner, finish_conditioning
from edge.signal.image import image_from_window
from edge.signal.spec import FeatureSpec
from edge.signal.windows import Slider, Window, finish_sliding, slide

Float32 = NDArray[np.float32]

GAP_PIECE_SAMPLES = 1 << 16
"""Lost sound is filled with silence in pieces of at most this length: a gap of hours costs time, not memory."""


@dataclass(frozen=True)
class Stretch:
    """A piece of sound that gets one label."""

    start_s: float
    end_s: float
    sound: Float32
    """float32 [n] of conditioned sound, without repetition."""
    windows: Sequence[Float32] | Float32
    """The same sound as float32 [k, window_samples]; the probabilities are averaged over k."""
    faults: FaultCounts


@dataclass(frozen=True)
class Classifier:
    """What turns a stretch of sound into a result; the same for every source."""

    profile: Profile
    bundle: Bundle
    engine: Engine
    clock: Callable[[], float] = time.perf_counter
    """Seconds; only differences are used."""

    def classify(self, source: str, stretch: Stretch) -> Result:
        """The result for a stretch of the sound named `source`. Raises EngineError."""
        begin_s = self.clock()
        probabilities = calibrate(self._mean_probabilities(stretch.windows), self.bundle.temperature)
        latency_ms = (self.clock() - begin_s) * 1000
        quality = judge_quality(stretch.sound, stretch.faults, self.profile.quality)
        return Result(
            source=source,
            device=self.profile.name,
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            label=decide(probabilities, quality),
            probabilities=dict(zip(LABELS, probabilities.tolist(), strict=True)),
            quality=quality,
            model=self.bundle.model_id,
            engine=self.engine.name,
            latency_ms=latency_ms,
        )

    def _mean_probabilities(self, windows: Sequence[Float32] | Float32) -> Float32:
        """One window after the other, so that an hour annotated as one cycle needs no more memory than a breath."""
        images = (image_from_window(window, self.bundle.spec) for window in windows)
        probabilities = [self.engine.infer(image[np.newaxis])[0] for image in images]
        return np.asarray(np.mean(probabilities, axis=0), dtype=np.float32)


def slider_from_hop(hop_s: float, spec: FeatureSpec) -> Slider:
    """Windows of `spec`, one every `hop_s`. Raises UsageError unless that is between a sample and a window."""
    try:
        return Slider(spec.window_samples, round(hop_s * spec.sample_rate_hz))
    except (OverflowError, ValueError) as error:
        raise UsageError(
            f"a hop of {hop_s:g} s is impossible; choose one above 0 and up to {spec.window_s:g} s"
        ) from error


class Pipeline:
    """A stream of sound in, results out, one every hop; how the stream is cut into blocks changes nothing."""

    def __init__(self, classifier: Classifier, source: str, sample_rate_hz: int, hop_s: float) -> None:
        """A stream at `sample_rate_hz`, named `source` in the results. Raises UsageError for an impossible hop."""
        spec = classifier.bundle.spec
        self._classifier = classifier
        self._source = source
        self._conditioner = design_conditioner(sample_rate_hz, spec)
        self._conditioner_state = self._conditioner.initial_state()
        self._slider = slider_from_hop(hop_s, spec)
        self._slider_state = self._slider.initial_state()
        self._trace = FaultTrace(sample_rate_hz)

    def push(self, block: AudioBlock) -> list[Result]:
        """The results that the next block completes. Raises EngineError."""
        return [result for piece in _without_long_gaps(block) for result in self._push_piece(piece)]

    def finish(self) -> list[Result]:
        """The results still due at the end; sound shorter than a window is repeated to fill it. Raises EngineError."""
        rest = finish_conditioning(self._conditioner_state, self._conditioner)
        windows, self._slider_state = slide(rest, self._slider_state, self._slider)
        windows += finish_sliding(self._slider_state, self._slider)
        return [self._result_from_window(window) for window in windows]

    def _push_piece(self, piece: AudioBlock) -> list[Result]:
        self._trace = extend_trace(self._trace, piece)
        samples = np.concatenate([np.zeros(piece.lost_samples, np.float32), piece.samples])
        conditioned, self._conditioner_state = condition(samples, self._conditioner_state, self._conditioner)
        windows, self._slider_state = slide(conditioned, self._slider_state, self._slider)
        results = [self._result_from_window(window) for window in windows]
        if windows:
            self._trace = trace_from(self._trace, results[-1].start_s)
        return results

    def _result_from_window(self, window: Window) -> Result:
        rate_hz = self._classifier.bundle.spec.sample_rate_hz
        start_s, end_s = window.start_sample / rate_hz, (window.start_sample + window.sound_samples) / rate_hz
        sound = window.samples[: window.sound_samples]
        faults = count_faults(self._trace, start_s, end_s)
        return self._classifier.classify(self._source, Stretch(start_s, end_s, sound, [window.samples], faults))


def _without_long_gaps(block: AudioBlock) -> Iterator[AudioBlock]:
    long_pieces, lost_samples = divmod(block.lost_samples, GAP_PIECE_SAMPLES)
    for _ in range(long_pieces):
        yield AudioBlock(np.zeros(0, np.float32), lost_samples=GAP_PIECE_SAMPLES)
    yield AudioBlock(block.samples, lost_samples, block.invalid_at, block.clipped_at)
