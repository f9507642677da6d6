"""Training samples made with the libraries that the authors' released code calls: nlpaug for the sound, librosa and
OpenCV for the image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import nlpaug.augmenter.audio as nlpaug
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.reference_chain import ReferenceChain, magma_bgr, reference_chain
from edge.signal.spec import FeatureSpec

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Technique = Callable[[Float32], Float32]
Image = Callable[[Float32], UInt8]
WHOLE = (0.0, 1.0)


def techniques_over_the_whole_sound(sample_rate_hz: int) -> dict[str, Technique]:
    """nlpaug's, each over all of its input, or half of it for loudness, and as strong as this project's."""
    return {
        "noise": _technique(nlpaug.NoiseAug(zone=WHOLE)),
        "speed": _technique(nlpaug.SpeedAug(zone=WHOLE, factor=(0.9, 1.1))),
        "loudness": _technique(nlpaug.LoudnessAug(zone=WHOLE, coverage=0.5, factor=(0.5, 2))),
        "VTLP": _technique(nlpaug.VtlpAug(sampling_rate=sample_rate_hz, zone=WHOLE, coverage=1, factor=(0.9, 1.1))),
        "pitch": _technique(nlpaug.PitchAug(sampling_rate=sample_rate_hz, zone=WHOLE, factor=(-1, 3))),
    }


def techniques_as_released(sample_rate_hz: int) -> dict[str, Technique]:
    """With the arguments of `gen_augmented` in the released utils.py: VTLP changes a tenth, the others 60 %."""
    return {
        "noise": _technique(nlpaug.NoiseAug()),
        "speed": _technique(nlpaug.SpeedAug()),
        "loudness": _technique(nlpaug.LoudnessAug(factor=(0.5, 2))),
        "VTLP": _technique(nlpaug.VtlpAug(sampling_rate=sample_rate_hz, zone=WHOLE)),
        "pitch": _technique(nlpaug.PitchAug(sampling_rate=sample_rate_hz, factor=(-1, 3))),
    }


def image_with_libraries(spec: FeatureSpec) -> Image:
    """Nothing made twice: one mel picture a window, filterbank and colour map kept."""
    chain = reference_chain(spec, keep_filterbank=True)
    return lambda window: chain.image_from_levels(chain.levels_from_window(window))


def image_as_released(spec: FeatureSpec) -> Image:
    """Two mel pictures a window, one to show and one to find blank rows in, each with its filterbank and colour map."""
    chain = reference_chain(spec, keep_filterbank=False)

    def image(window: Float32) -> UInt8:
        shown = cv2.cvtColor(_picture(window, chain, spec.enlargement), cv2.COLOR_BGR2RGB)
        grey = cv2.cvtColor(_picture(window, chain, 1), cv2.COLOR_BGR2GRAY)
        for row in range(spec.n_mels):
            if np.mean(grey[row] < spec.blank_grey_level) < spec.blank_share:
                break
        cut = (row + 1) * spec.enlargement
        kept = shown[cut:] if cut < len(shown) else shown
        return np.asarray(cv2.resize(kept, shown.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)

    return image


def _technique(augmenter: nlpaug.AudioAugmenter) -> Technique:
    return lambda samples: np.asarray(augmenter.augment(samples)[0])


def _picture(window: Float32, chain: ReferenceChain, enlargement: int) -> UInt8:
    levels = chain.levels_from_window(window)
    picture = cv2.applyColorMap(levels, magma_bgr())
    size = (levels.shape[1] * enlargement, levels.shape[0] * enlargement)
    return np.asarray(cv2.flip(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), 0), np.uint8)


@dataclass(frozen=True)
class LibrarySamples:
    """Cycles to images, the same work as `train.dataset.TrainingImages` does."""

    cycles: Sequence[Float32]
    window_samples: int
    techniques: Mapping[str, Technique]
    image: Image
    every: bool
    """Every technique on every sample, joined cycles; or as the released code draws: one of them on every second
    sample, a shift on every second, and cycles as they come, because it joins them before training begins."""

    def sample(self, position: int, rng: Generator) -> UInt8:
        """One augmented image of the cycle at `position`."""
        window = self._every_technique(position, rng) if self.every else self._as_drawn(position, rng)
        return self.image(window)

    def _every_technique(self, position: int, rng: Generator) -> Float32:
        partner = self.cycles[int(rng.integers(len(self.cycles)))]
        window = self._filled(np.concatenate([self.cycles[position], partner]))
        for technique in self.techniques.values():
            window = self._filled(technique(window))
        return np.roll(window, rng.integers(window.size))

    def _as_drawn(self, position: int, rng: Generator) -> Float32:
        window = self._filled(self.cycles[position])
        if rng.random() < 0.5:
            window = self._filled(self.techniques[str(rng.choice(list(self.techniques)))](window))
        return np.roll(window, rng.integers(window.size)) if rng.random() < 0.5 else window

    def _filled(self, samples: Float32) -> Float32:
        return np.resize(samples, self.window_samples) if samples.size != self.window_samples else samples
