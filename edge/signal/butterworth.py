"""Design of the Butterworth band-pass as second-order sections, so that the device needs no SciPy.

The textbook route: poles of the analogue low-pass prototype on the unit circle, low-pass to band-pass, bilinear
transform with both edges pre-warped (Oppenheim & Schafer, "Discrete-Time Signal Processing", ch. 7). Tests hold it to
`scipy.signal.butter`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def butterworth_bandpass_sos(order: int, low_hz: float, high_hz: float, sample_rate_hz: float) -> Float64:
    """Second-order sections [order, 6] (b0 b1 b2 1 a1 a2) of a Butterworth band-pass with -3 dB edges low_hz and
    high_hz.
    """
    poles = _digital_poles(order, low_hz, high_hz, sample_rate_hz)
    sections = np.array([[1.0, 0.0, -1.0, *_denominator(pair)] for pair in _conjugate_pairs(poles)])
    centre_rad = 2 * np.arctan(np.sqrt(_warped(low_hz, sample_rate_hz) * _warped(high_hz, sample_rate_hz)))
    sections[:, :3] /= _gain_at(sections, centre_rad)[:, np.newaxis]
    return sections


def _warped(frequency_hz: float, sample_rate_hz: float) -> float:
    return float(np.tan(np.pi * frequency_hz / sample_rate_hz))


def _digital_poles(order: int, low_hz: float, high_hz: float, sample_rate_hz: float) -> NDArray[np.complex128]:
    low, high = _warped(low_hz, sample_rate_hz), _warped(high_hz, sample_rate_hz)
    prototype = -np.exp(1j * np.pi * np.arange(1 - order, order, 2) / (2 * order))
    half = prototype * (high - low) / 2
    offset = np.sqrt(half**2 - low * high)
    analogue = np.concatenate([half + offset, half - offset])
    return np.asarray((1 + analogue) / (1 - analogue))


def _conjugate_pairs(poles: NDArray[np.complex128]) -> list[tuple[complex, complex]]:
    """Each pole above the real axis with its mirror image, then the real ones two by two; least resonant first."""
    above = [(pole, pole.conjugate()) for pole in poles if pole.imag > 1e-12]
    real = sorted((pole for pole in poles if abs(pole.imag) <= 1e-12), key=lambda pole: pole.real)
    pairs = above + list(zip(real[::2], real[1::2], strict=True))
    return sorted(pairs, key=lambda pair: abs(pair[0]))


def _denominator(pair: tuple[complex, complex]) -> Float64:
    return np.real(np.poly(pair))


def _gain_at(sections: Float64, angle_rad: float) -> Float64:
    delay = np.exp(-1j * angle_rad * np.arange(3))
    return np.asarray(np.abs(sections[:, :3] @ delay) / np.abs(sections[:, 3:] @ delay))
