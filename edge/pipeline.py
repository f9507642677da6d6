"""From sound to results: conditioning, windows, images, network, quality, decision; for listening and for scoring."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.bundle import Bundle
from edge.cough_events import events_from_coughs
from edge.decision import calibrate, decide
from edge.engine.engine import Engine
from edge.errors import UsageError
from edge.events import Event
from edge.intake import Intake
from edge.labels import LABELS
from edge.operating_point import OperatingPoint
from edge.profiles import Profile
from edge.quality import Evidence, judge_quality
from edge.results import Result
from edge.signal.image import image_from_window
from edge.signal.spec import FeatureSpec
from edge.signal.windows import Slider, Window, finish_sliding, slide

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """A piece of sound that gets one label."""

    start_s: float
    end_s: float
    sound: Float32
    """float32 [n] of conditioned sound, without repetition."""
    windows: Sequence[Float32] | Float32
    """The same sound as float32 [k, window_samples]; the probabilities are averaged over k."""
    evidence: Evidence


@dataclass(frozen=True)
class Classifier:
    """What turns a stretch of sound into a result; the same for every source."""

    profile: Profile
    bundle: Bundle
    engine: Engine
    clock: Callable[[], float] = time.perf_counter
    """Seconds; only differences are used."""
    operating_point: OperatingPoint | None = None
    """Of the bundle, as `chosen_point` gives it; None: the likeliest class is the label."""

    def classify(self, source: str, stretch: Stretch) -> Result:
        """The result for a stretch of the sound named `source`. Raises EngineError."""
        begin_s = self.clock()
        probabilities = calibrate(self._mean_probabilities(stretch.windows), self.bundle.temperature)
        latency_ms = (self.clock() - begin_s) * 1000
        rate_hz = self.bundle.spec.sample_rate_hz
        point = self.operating_point
        quality = judge_quality(stretch.sound, rate_hz, stretch.evidence, self.profile.quality)
        return Result(
            source=source,
            device=self.profile.name,
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            label=decide(probabilities, quality, point.abnormal_threshold if point else None),
            probabilities=dict(zip(LABELS, probabilities.tolist(), strict=True)),
            quality=quality,
            model=self.bundle.model_id,
            engine=self.engine.name,
            latency_ms=latency_ms,
            operating_point=point.name if point else None,
        )

    def _mean_probabilities(self, windows: Sequence[Float32] | Float32) -> Float32:
        """One window after the other, so that an hour annotated as one cycle needs no more memory than a breath."""
        return np.asarray(np.mean([self._probabilities(window) for window in windows], axis=0), dtype=np.float32)

    def _probabilities(self, window: Float32) -> Float32:
        return self._infer(window) if window.any() else self._probabilities_of_silence

    @cached_property
    def _probabilities_of_silence(self) -> Float32:
        """Asked once: a device that comes back after an hour brings thousands of windows without a sample."""
        return self._infer(np.zeros(self.bundle.spec.window_samples, np.float32))

    def _infer(self, window: Float32) -> Float32:
        image = image_from_window(window, self.bundle.spec)
        return np.asarray(self.engine.infer(image[np.newaxis])[0])


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
        self._intake = Intake(sample_rate_hz, spec)
        self._slider = slider_from_hop(hop_s, spec)
        self._slider_state = self._slider.initial_state()

    def push(self, block: AudioBlock) -> list[Result]:
        """The results that the next block completes, those of windows in a gap before it included. Raises
        EngineError.
        """
        return [result for sound in self._intake.push(block) for result in self._results_from_sound(sound)]

    def finish(self) -> list[Result]:
        """The results still due at the end; sound shorter than a window is repeated to fill it. Raises EngineError."""
        windows, self._slider_state = slide(self._intake.finish(), self._slider_state, self._slider)
        windows += finish_sliding(self._slider_state, self._slider)
        return [self._result_from_window(window) for window in windows]

    def take_events(self) -> list[Event]:
        """The coughs that have ended since this was last asked."""
        return events_from_coughs(self._intake.take_coughs(), self._source, self._classifier.profile.name)

    def _results_from_sound(self, sound: Float32) -> list[Result]:
        windows, self._slider_state = slide(sound, self._slider_state, self._slider)
        results = [self._result_from_window(window) for window in windows]
        if results:
            self._intake.forget_before(results[-1].start_s)
        return results

    def _result_from_window(self, window: Window) -> Result:
        rate_hz = self._classifier.bundle.spec.sample_rate_hz
        start_s, end_s = window.start_sample / rate_hz, (window.start_sample + window.sound_samples) / rate_hz
        sound = window.samples[: window.sound_samples]
        evidence = self._intake.evidence(start_s, end_s)
        return self._classifier.classify(self._source, Stretch(start_s, end_s, sound, [window.samples], evidence))
