"""How loud knocks and handling are: bursts with a hard edge, far louder than any crackle.

A crackle is a burst too, of the lung; what tells a knock is its level, which a stethoscope's fixed gain makes an
absolute one. The second difference is taken because heart sounds are as loud, and slow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.016
EXCEEDED_SHARE = 0.01
"""Of the time: in 7 s four frames are louder than the level that is given, so that one click does not make it."""
LOWEST_DBFS = -120.0


def maybe_knock_level_dbfs(sound: NDArray[np.float32], sample_rate_hz: int) -> float | None:
    """The level that the second difference of float32 [n] exceeds in one frame of a hundred, in dB of full scale.

    None where the sound is shorter than a frame.
    """
    edges = np.diff(sound, 2)
    length = round(FRAME_S * sample_rate_hz)
    frames = edges[: edges.size // length * length].reshape(-1, length)
    if len(frames) == 0:
        return None
    powers = np.einsum("ft,ft->f", frames, frames) / length
    louder = int(EXCEEDED_SHARE * len(powers))
    power = float(np.partition(powers, -1 - louder)[-1 - louder])
    return max(10 * math.log10(power), LOWEST_DBFS) if power > 0 else LOWEST_DBFS
