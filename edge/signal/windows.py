"""Conditioned sound to windows of fixed length: sliding over a stream, or one annotated breathing cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.signal.padding import repeat_to_length
from edge.signal.spec import FeatureSpec

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """One stretch of conditioned sound as long as the features need."""

    start_sample: int
    """Position of its first sample in the stream."""
    samples: Float32
    """float32 [window_samples]."""
    sound_samples: int
    """How many of them were heard; fewer than all where a short sound is repeated to fill the window."""


@dataclass(frozen=True)
class Slider:
    """Windows of `window_samples`, one every `hop_samples`, which may not exceed the window."""

    window_samples: int
    hop_samples: int

    def __post_init__(self) -> None:
        if not 0 < self.hop_samples <= self.window_samples:
            raise ValueError(f"a hop of {self.hop_samples} samples must lie in 1..{self.window_samples}, one window")

    def initial_state(self) -> SliderState:
        """Before the first sample."""
        return SliderState(np.zeros(0, np.float32), held_from=0, next_start=0)


@dataclass(frozen=True)
class SliderState:
    """What a stream must remember between chunks."""

    held: Float32
    """Samples from the last window's first one onwards: the final window may reach back into it."""
    held_from: int
    next_start: int
    """Where the next window begins."""


def slide(chunk: Float32, state: SliderState, slider: Slider) -> tuple[list[Window], SliderState]:
    """The windows that the next samples complete, and the new state."""
    held = np.concatenate([state.held, chunk])
    end = state.held_from + held.size
    starts = range(state.next_start, end - slider.window_samples + 1, slider.hop_samples)
    windows = [_cut(held, start - state.held_from, start, slider.window_samples) for start in starts]
    if not windows:
        return [], SliderState(held, state.held_from, state.next_start)
    last = starts[-1]
    return windows, SliderState(held[last - state.held_from :].copy(), last, last + slider.hop_samples)


def finish_sliding(state: SliderState, slider: Slider) -> list[Window]:
    """The final window of a stream, if its end was not heard.

    A stream shorter than one window is repeated to fill it. Otherwise, where at least half a hop is left over, the last
    full window of the stream is added; less than that lies in the window before all the same.
    """
    end = state.held_from + state.held.size
    if state.next_start == 0:
        if state.held.size == 0:
            return []
        return [Window(0, repeat_to_length(state.held, slider.window_samples), state.held.size)]
    unheard = state.held.size - slider.window_samples
    if 2 * unheard < slider.hop_samples:
        return []
    start = end - slider.window_samples
    return [_cut(state.held, start - state.held_from, start, slider.window_samples)]


def windows_from_cycle(samples: Float32, spec: FeatureSpec) -> Float32:
    """One breathing cycle as windows whose probabilities are averaged.

    Parameters: `samples` float32 [n], n > 0. Returns: float32 [k, window_samples]: repeated to one window where it is
    shorter; longer ones give windows at half overlap, as the authors' code cuts them, of which the last ends where the
    cycle ends. Raises ValueError if empty.
    """
    if samples.size == 0:
        raise ValueError("a breathing cycle without samples has no window")
    length = spec.window_samples
    if samples.size <= length:
        return repeat_to_length(samples, length)[np.newaxis]
    starts = [*range(0, samples.size - length, length // 2), samples.size - length]
    return np.stack([samples[start : start + length] for start in starts])


def _cut(held: Float32, offset: int, start: int, length: int) -> Window:
    return Window(start, held[offset : offset + length].copy(), length)
