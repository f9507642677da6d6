"""How much of what a gap swallowed its bridge gives back, beside a straight line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.gaps import BEFORE_S, MAX_BRIDGED_S, ORDER, bridge, straight_line

Float32 = NDArray[np.float32]

GAPS = 100
"""In each recording, at random places."""


def wrong_share(recordings: Sequence[Float32], rate_hz: int, bridged: Callable[..., Float32]) -> float:
    """Power of what `bridged` gets wrong in gaps of `MAX_BRIDGED_S`, over the power that was there."""
    gap, before = round(MAX_BRIDGED_S * rate_hz), round(BEFORE_S * rate_hz)
    wrong = power = 0.0
    for number, sound in enumerate(recordings):
        rng = np.random.default_rng(number)
        for start in rng.integers(before, sound.size - gap - ORDER, GAPS):
            true = sound[start : start + gap]
            filled = bridged(sound[start - before : start], sound[start + gap :][:ORDER], gap)
            wrong += float(((filled - true) ** 2).sum())
            power += float((true**2).sum())
    return wrong / power


def bridge_rows(recordings: Sequence[Float32], rate_hz: int) -> list[list[str]]:
    """The bridge that ships, and the straight line."""
    rows = []
    for name, bridged in (("a bridge", bridge), ("a straight line", straight_line)):
        share = wrong_share(recordings, rate_hz, bridged)
        rows.append([f"power that {name} over {MAX_BRIDGED_S:g} s gets wrong", f"{share:.0%}", ""])
    return rows
