"""How much time has passed in a captured stream, and where sound is missing in it.

Three witnesses, none of which is enough alone:

- The count of samples is exact, but says nothing of what never arrived.
- PortAudio's capture time (ADC time) shows at once that something is missing and how much. It may be the time of day,
  though, which somebody sets, and behind a sound server it is an estimate.
- Our own clock never leaps, but a callback may be late, and then several come in a burst.

So a step of the ADC time is believed as far as our clock confirms it, and, where PortAudio does not speak of an
overflow, only after a moment: when a sound server catches up after a pause, its estimates jump by a block and back
(measured with PulseAudio 16.1), while callbacks come late. What our clock alone shows is believed once even the
promptest callback of a while came too late. What remains is drift: no two clocks run equally fast.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from edge.audio.capture_messages import Sound

AWAY = "away"
"""The cause of what was lost while nothing could be captured."""
STEP_S = 0.1
"""Less may be no loss: behind PulseAudio, ADC times and callbacks move by up to 0.05 s together, and stay there, when
another program begins to play (measured). What is less and real counts all the same once it has added up."""
DOUBT_S = 0.5
"""How long a step has to last to be believed: longer than a sound server takes to catch up."""
LATENESS_S = 0.5
"""What the delay between sound and callback may vary by: a sound server changes buffers when clients come and go."""
PERIOD_S = 2.0
"""In so many seconds at least one callback is as prompt as ever, ..."""
PERIOD_CALLBACKS = 5
"""... where at least so many came each in its own time: a burst after a pause says nothing."""
MAX_DRIFT = 1e-3
"""Card against computer: crystals are good to 1e-4; the cheapest USB cards are some 1e-4 off."""


@dataclass(frozen=True)
class Loss:
    """Sound that is missing just before a block."""

    samples: int
    cause: str
    """`AWAY`, "queue-full", "overflow", "gap" or "clock-jump"."""


def boot_clock_s() -> float:
    """Seconds, by a clock that no one sets, that all processes share, and that goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True)
class _Doubt:
    """Steps of the ADC time that may be lost sound."""

    step_s: float
    """Their sum."""
    least_s: float
    """How late the promptest callback since was."""
    until_s: float


class CaptureClock:
    """Follows a stream from its first block; what is delivered and what is lost add up to the time that passed."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._position = 0
        self._origin_s: float | None = None
        self._delay_s = 0.0
        self._next_adc_s: float | None = None
        self._doubt: _Doubt | None = None
        self._period_end_s = 0.0
        self._least_s = 0.0
        self._arrived_s = 0.0
        self._callbacks = 0
        self._settled = False

    @property
    def position(self) -> int:
        """How many samples the stream is long, those that were lost included."""
        return self._position

    def take(self, sound: Sound) -> list[Loss]:
        """What was lost before the next block."""
        if self._origin_s is None:
            self._begin(sound)
        losses = [
            self._booked(Loss(sound.dropped_frames, "queue-full") if sound.dropped_frames else None),
            self._booked(self._maybe_loss(sound)),
            self._booked(self._maybe_late_loss(sound)),
        ]
        self._position += sound.frames
        self._next_adc_s = sound.adc_s + sound.frames / self._rate_hz if sound.adc_s > 0 else None
        return [loss for loss in losses if loss is not None]

    def pass_time(self, now_s: float) -> list[Loss]:
        """What is certainly lost by `now_s` while nothing can be captured; the next block begins a new capture.

        Leaves some time open, which the next block settles: it may have been captured well before it arrives.
        """
        self._next_adc_s = self._doubt = None
        if self._origin_s is None:
            return []
        missing = int((self._late_s(now_s, 0) - LATENESS_S) * self._rate_hz)
        self._position += max(missing, 0)
        return [Loss(missing, AWAY)] if missing > 0 else []

    def _begin(self, sound: Sound) -> None:
        self._origin_s = sound.arrived_s - sound.frames / self._rate_hz
        self._period_end_s = sound.arrived_s + PERIOD_S

    def _late_s(self, arrived_s: float, frames: int) -> float:
        """How much more time has passed than samples have, when a block ends at `arrived_s`; the usual delay aside."""
        return arrived_s - (self._origin_s or 0.0) - (self._position + frames) / self._rate_hz - self._delay_s

    def _maybe_loss(self, sound: Sound) -> Loss | None:
        """By the ADC time since the block before."""
        late_s = self._late_s(sound.arrived_s, sound.frames)
        if self._next_adc_s is None:
            return self._loss(late_s, AWAY) if late_s > STEP_S else None
        step_s = sound.adc_s - self._next_adc_s - sound.dropped_frames / self._rate_hz if sound.adc_s > 0 else 0.0
        if sound.overflowed:
            return self._loss(min(step_s, late_s), "overflow")
        if step_s > late_s + LATENESS_S or step_s < -LATENESS_S:
            return self._loss(0.0, "clock-jump")
        return self._maybe_confirmed_gap(step_s, late_s, sound.arrived_s)

    def _maybe_confirmed_gap(self, step_s: float, late_s: float, now_s: float) -> Loss | None:
        """What a step has turned out to be once it lasted."""
        if self._doubt is None and step_s > STEP_S:
            self._doubt = _Doubt(0.0, late_s, now_s + DOUBT_S)
        if self._doubt is None:
            return None
        doubt = _Doubt(self._doubt.step_s + step_s, min(self._doubt.least_s, late_s), self._doubt.until_s)
        self._doubt = doubt if now_s < doubt.until_s else None
        confirmed_s = min(doubt.step_s, doubt.least_s)
        if self._doubt is not None or confirmed_s <= STEP_S:
            return None
        self._least_s -= confirmed_s  # callbacks since then were late for this reason
        return self._loss(confirmed_s, "gap")

    def _maybe_late_loss(self, sound: Sound) -> Loss | None:
        """By our clock over the period that ends now; what is too little for a loss is taken for drift."""
        self._note_delay(sound)
        if sound.arrived_s < self._period_end_s or self._callbacks < PERIOD_CALLBACKS:
            return None
        least_s, self._least_s, self._callbacks = self._least_s, float("inf"), 0
        self._period_end_s = sound.arrived_s + PERIOD_S
        self._settled = True
        if least_s > LATENESS_S:
            self._doubt = None
            return self._loss(least_s, "gap")
        self._delay_s += max(-MAX_DRIFT * PERIOD_S, min(least_s, MAX_DRIFT * PERIOD_S))
        return None

    def _note_delay(self, sound: Sound) -> None:
        late_s = self._late_s(sound.arrived_s, sound.frames)
        if not self._settled:  # the first block of a stream is often the latest
            self._delay_s += min(late_s, 0.0)
            late_s = max(late_s, 0.0)
        self._least_s = min(self._least_s, late_s)
        self._callbacks += sound.arrived_s - self._arrived_s > sound.frames / self._rate_hz / 2
        self._arrived_s = sound.arrived_s

    def _booked(self, loss: Loss | None) -> Loss | None:
        self._position += loss.samples if loss is not None else 0
        return loss

    def _loss(self, missing_s: float, cause: str) -> Loss:
        """At least one sample, so that the place is marked where nobody knows how much is missing."""
        return Loss(max(1, round(missing_s * self._rate_hz)), cause)
