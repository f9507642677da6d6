"""The same chain as `edge/signal`, put together from SciPy, librosa and OpenCV as the authors' released code does."""

from dataclasses import dataclass

import cv2
import librosa
import matplotlib
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from edge.signal.spec import FeatureSpec

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class ReferenceChain:
    """What both ways of writing the chain prepare once: filter and colour map; and, where kept, the filterbank."""

    spec: FeatureSpec
    sections: NDArray[np.float64]
    magma: UInt8
    filterbank: Float32 | None
    """None: `melspectrogram` makes it anew for each window, as it does wherever it is called without one."""

    def image(self, samples: Float32) -> UInt8:
        """float32 [window_samples] at the features' rate -> uint8 `spec.image_shape`."""
        return self.image_from_levels(self.levels(samples))

    def levels(self, samples: Float32) -> UInt8:
        """float32 [window_samples] at the features' rate -> uint8 [n_mels, frames]: SciPy's and librosa's part."""
        return self.levels_from_window(scipy.signal.sosfilt(self.sections, samples).astype(np.float32))

    def levels_from_window(self, window: Float32) -> UInt8:
        """The same of a window that is filtered already, lowest band first."""
        levels_db = librosa.power_to_db(self._mel_power(window), ref=np.max)
        floor, ceiling = levels_db.min(), levels_db.max()
        return np.asarray((levels_db - floor) / (ceiling - floor) * 255, dtype=np.uint8)

    def image_from_levels(self, levels: UInt8) -> UInt8:
        """uint8 [n_mels, frames] -> uint8 `spec.image_shape`: OpenCV's part."""
        return self._colour_image(levels) if self.spec.layout == "colour" else self._level_image(levels)

    def _mel_power(self, window: Float32) -> Float32:
        spec = self.spec
        if self.filterbank is None:
            return np.asarray(
                librosa.feature.melspectrogram(
                    y=window,
                    sr=spec.sample_rate_hz,
                    n_fft=spec.n_fft,
                    hop_length=spec.hop_samples,
                    n_mels=spec.n_mels,
                    fmin=spec.mel_low_hz,
                    fmax=spec.mel_high_hz,
                )
            )
        spectra = librosa.stft(window, n_fft=spec.n_fft, hop_length=spec.hop_samples)
        return np.asarray(self.filterbank @ (np.abs(spectra) ** 2))

    def _level_image(self, levels: UInt8) -> UInt8:
        upright = cv2.flip(levels, 0)
        kept = upright[self._blank_rows(cv2.applyColorMap(upright, self.magma)) :]
        return np.asarray(cv2.resize(kept, levels.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)[np.newaxis]

    def _colour_image(self, levels: UInt8) -> UInt8:
        rows, columns = (size * self.spec.enlargement for size in levels.shape)
        picture = cv2.applyColorMap(levels, self.magma)
        cut = self._blank_rows(cv2.flip(picture, 0)) * self.spec.enlargement
        enlarged = cv2.flip(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR), 0)
        image = cv2.resize(enlarged[cut:], (columns, rows), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.uint8)[::-1]

    def _blank_rows(self, upright: NDArray[np.generic]) -> int:
        """How many rows to cut at the top; the released code takes the first row that is not blank with them."""
        grey = cv2.cvtColor(np.asarray(upright, np.uint8), cv2.COLOR_BGR2GRAY)
        blank = (grey < self.spec.blank_grey_level).mean(axis=1) >= self.spec.blank_share
        first_kept = int(np.argmin(blank)) if not blank.all() else len(blank) - 1
        return first_kept + 1 if first_kept + 1 < len(blank) else 0


def reference_chain(spec: FeatureSpec, *, keep_filterbank: bool) -> ReferenceChain:
    """The chain for `spec`, its constant parts made once."""
    edges_hz = [spec.bandpass_low_hz, spec.bandpass_high_hz]
    sections = scipy.signal.butter(spec.bandpass_order, edges_hz, "bandpass", fs=spec.sample_rate_hz, output="sos")
    filterbank = librosa.filters.mel(
        sr=spec.sample_rate_hz, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.mel_low_hz, fmax=spec.mel_high_hz
    )
    return ReferenceChain(spec, sections, magma_bgr(), filterbank if keep_filterbank else None)


def magma_bgr() -> UInt8:
    """The map magma as OpenCV's `applyColorMap` takes it, uint8 [256, 1, 3]."""
    colours = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, 2::-1]
    return np.ascontiguousarray(colours.reshape(256, 1, 3))
