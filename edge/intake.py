"""A source's blocks become one unbroken stream of conditioned sound, with evidence of what each part of it was like."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.audio.block import AudioBlock
from edge.coughs_and_voices.coughs import Cough
from edge.coughs_and_voices.hearing import (
    Hearing,
    extend_hearing,
    extend_hearing_with_silence,
    finish_hearing,
    heard_between,
    heard_by,
    hearing_from,
    take_coughs,
)
from edge.faults import FaultTrace, count_faults, extend_trace, trace_from
from edge.quality import Evidence
from edge.signal.conditioning import (
    Conditioner,
    ConditionerState,
    condition_in_steps,
    design_conditioner,
    finish_conditioning,
)
from edge.signal.resample import ResamplerState
from edge.signal.spec import FeatureSpec
from edge.slot_trace import SlotTrace, extend_slots, extend_slots_with_silence, maybe_slot_means, slots_from
from firmware_bridge.gaps import BEFORE_S, MAX_BRIDGED_S, ORDER, bridge

Float32 = NDArray[np.float32]

SETTLING_S = 0.5
"""After so much silence the filters hold less than a float32 can add to anything: the slowest mode of the band-pass
from 50 Hz loses 20 decades in it."""
UNHEARD_SAMPLES = 2000
"""Of conditioned sound: coughs and voices are looked for in half a second at a time, unless somebody asks."""
SILENCE_PIECE_SAMPLES = 1 << 16
"""Of conditioned sound: an hour without sound is handed on in pieces of at most this length."""


class Intake:
    """A stream of blocks in, conditioned sound out.

    A gap of at most `MAX_BRIDGED_S` is closed by interpolation: silence would click, as a crackle does. What comes
    behind it is held until there are `ORDER` samples of it, so that it matters nowhere how the stream is cut. A longer
    gap becomes silence as long as it lasted, so that the clock stays right; an hour of it costs no filtering.
    """

    def __init__(self, sample_rate_hz: int, spec: FeatureSpec) -> None:
        """For a stream at `sample_rate_hz`. Raises ValueError for a rate below the features'."""
        self._sample_rate_hz = sample_rate_hz
        self._conditioner = design_conditioner(sample_rate_hz, spec)
        self._state = self._conditioner.initial_state()
        self._faults = FaultTrace(sample_rate_hz)
        self._raw = SlotTrace(sample_rate_hz)
        self._resampled = SlotTrace(spec.sample_rate_hz)
        self._hearing = Hearing()
        self._unheard = np.zeros(0, np.float32)
        self._before = np.zeros(1, np.float32)
        self._held = np.zeros(0, np.float32)
        self._missing = 0
        self._gap_is_long = False

    def push(self, block: AudioBlock) -> Iterator[Float32]:
        """The conditioned sound that the next block completes, float32 [n] in pieces. Take all of them."""
        self._faults = extend_trace(self._faults, block)
        if block.lost_samples and self._held.size:
            yield self._across()
        self._missing += block.lost_samples
        self._gap_is_long |= self._missing > MAX_BRIDGED_S * self._sample_rate_hz
        if self._gap_is_long:
            yield from self._silence(self._missing)
            self._missing, self._before = 0, np.zeros(1, np.float32)
        if block.samples.size:
            self._gap_is_long = False
            yield from self._sound(block.samples)

    def finish(self) -> Float32:
        """What was still held back at the stream's end."""
        held = self._across() if self._held.size else self._condition(np.zeros(self._missing, np.float32))
        last = finish_conditioning(self._state, self._conditioner)
        self._listen(last)
        self._hearing = finish_hearing(self._hearing)
        return np.concatenate([held, last])

    def evidence(self, start_s: float, end_s: float, *, waited: bool = False) -> Evidence:
        """What is known of the samples between two times of the stream.

        `waited`: sound up to `DECIDED_AFTER_S` behind `end_s` has arrived, or the stream has ended; otherwise coughs
        and voices in the last moments are not decided.
        """
        self._listen()
        return Evidence(
            count_faults(self._faults, start_s, end_s),
            maybe_slot_means(self._raw, start_s, end_s),
            maybe_slot_means(self._resampled, start_s, end_s),
            (heard_between if waited else heard_by)(self._hearing, start_s, end_s),
        )

    def take_coughs(self) -> tuple[Cough, ...]:
        """The coughs that have ended since this was last asked."""
        coughs, self._hearing = take_coughs(self._hearing)
        return coughs

    def forget_before(self, start_s: float) -> None:
        """Nobody will ask for evidence from before that time."""
        self._faults = trace_from(self._faults, start_s)
        self._raw, self._resampled = slots_from(self._raw, start_s), slots_from(self._resampled, start_s)
        self._hearing = hearing_from(self._hearing, start_s)

    def _sound(self, samples: Float32) -> Iterator[Float32]:
        """What samples complete that follow the ones before, or a gap that can be bridged."""
        if not self._missing:
            yield self._condition(samples)
            self._remember(samples)
            return
        self._held = np.concatenate([self._held, samples])
        if self._held.size >= ORDER:
            yield self._across()

    def _across(self) -> Float32:
        """The bridge over a short gap, and what is held behind it."""
        whole = np.concatenate([bridge(self._before, self._held, self._missing), self._held])
        self._held, self._missing = whole[:0], 0
        self._remember(whole)
        return self._condition(whole)

    def _remember(self, samples: Float32) -> None:
        """Keep what the next bridge begins at."""
        wanted = round(BEFORE_S * self._sample_rate_hz)
        known = samples if samples.size >= wanted else np.concatenate([self._before, samples])
        self._before = known[-wanted:]

    def _condition(self, samples: Float32) -> Float32:
        resampled, conditioned, self._state = condition_in_steps(samples, self._state, self._conditioner)
        self._raw = extend_slots(self._raw, samples)
        self._resampled = extend_slots(self._resampled, resampled)
        self._unheard = np.concatenate([self._unheard, conditioned])
        if self._unheard.size >= UNHEARD_SAMPLES:
            self._listen()
        return conditioned

    def _listen(self, further: Float32 | None = None) -> None:
        """For coughs and voices, in all that has arrived."""
        sound = self._unheard if further is None else np.concatenate([self._unheard, further])
        self._hearing, self._unheard = extend_hearing(self._hearing, sound), sound[:0]

    def _silence(self, samples: int) -> Iterator[Float32]:
        settling = min(round(SETTLING_S * self._sample_rate_hz), samples)
        yield self._condition(np.zeros(settling, np.float32))
        rounds, rest = divmod(samples - settling, self._conditioner.resampler.step_down)
        yield from self._settled_silence(rounds)
        yield self._condition(np.zeros(rest, np.float32))

    def _settled_silence(self, rounds: int) -> Iterator[Float32]:
        """So many rounds of the resampler over silence, of which filters at rest make silence."""
        if rounds == 0:
            return
        outputs = rounds * self._conditioner.resampler.step_up
        self._state = _at_rest(self._state, self._conditioner)
        self._raw = extend_slots_with_silence(self._raw, rounds * self._conditioner.resampler.step_down)
        self._resampled = extend_slots_with_silence(self._resampled, outputs)
        self._listen()
        self._hearing = extend_hearing_with_silence(self._hearing, outputs)
        for first in range(0, outputs, SILENCE_PIECE_SAMPLES):
            yield np.zeros(min(outputs - first, SILENCE_PIECE_SAMPLES), np.float32)


def _at_rest(state: ConditionerState, conditioner: Conditioner) -> ConditionerState:
    silent = ResamplerState(np.zeros_like(state.resampler.pending), state.resampler.phase)
    return ConditionerState(silent, conditioner.bandpass.initial_state())
