"""A stethoscope's microcontroller as a source of sound, over any transport of `firmware_bridge`.

Events beside those of every live source: what `firmware_bridge/news.py` lists, of a device's log warnings and worse. A
device that talks too much is cut short: `untold` says how many of its events were left out before one.

What never arrived is handed on as lost, bridged or not, so that the pipeline bridges it by the same definition and the
limit for gaps counts it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

import numpy as np

from edge.audio.block import AudioBlock, block_from_channels
from edge.audio.capture_clock import Loss
from edge.audio.live_source import TICK_S, LiveSource, Persistence, SourceFailed, empty_block
from edge.audio.loss_report import LossReport
from edge.audio.pacing import Pace
from edge.errors import AudioDeviceError
from edge.events import Event
from edge.labels import LABELS
from edge.results import Result
from firmware_bridge.errors import BridgeError, CaptureEnded, SoundChangedError, TransportError
from firmware_bridge.link import Link
from firmware_bridge.messages import NO_LABEL, AudioFlag, ResultFlag, WindowResult
from firmware_bridge.news import News, Told
from firmware_bridge.timeline import Chunk
from firmware_bridge.transports.transport import Transport

FIRST_SOUND_S = 10.0
"""A board may start anew when its port is opened, and a radio has to find its partner."""
NO_SOUND_S = 5.0
"""A device that answers but sends no sound for so long is taken for lost; START was said twice by then."""
MAX_EVENTS_A_MINUTE = 60
"""Of what a device says; more would fill the disk of a machine that runs for months."""
WORST_SEVERITY_LEFT_OUT = 5
"""RFC 5424: a notice."""
RESULT_FLAGS = {"silence": ResultFlag.SILENCE, "clipping": ResultFlag.CLIPPING, "gap": ResultFlag.GAP}


class BridgeSource(LiveSource):
    """One device's sound. Its stream goes on over restarts of the device and of the transport."""

    def __init__(
        self,
        uri: str,
        open_transport: Callable[[], Transport],
        *,
        pace: Pace,
        persistence: Persistence | None = None,
        reorder_frames: int = 0,
    ) -> None:
        """`uri`: its name; `reorder_frames`: see Timeline. Raises AudioDeviceError and StoppedWaiting."""
        super().__init__(uri, persistence, pace)
        self._link = Link(uri, open_transport, pace.clock, reorder_frames)
        self._first_news: Sequence[News] = ()
        self._sound_s = 0.0
        self._returns = True
        self._has_ended = False
        self._untold_events: list[Event] = []
        self._told_s: deque[float] = deque(maxlen=MAX_EVENTS_A_MINUTE)
        self._left_out = 0
        self._losses: LossReport | None = None
        try:
            self._open_first()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._link.close()

    def take_result(self, result: Result) -> None:
        """Send it back to the device."""
        end_sample = round(result.end_s * self.sample_rate_hz)
        self._link.send_result(window_result_from_result(result), end_sample)

    def _attempt(self, *, first: bool) -> Iterator[AudioBlock]:
        until_s = self._pace.clock() + FIRST_SOUND_S
        reason = f"{self.name}: the device answers but sends no sound"
        self._open_link()
        while True:
            try:
                news = self._link.read(TICK_S)
            except CaptureEnded as error:
                if first:
                    raise AudioDeviceError(f"{self.name}: the capture holds no sound; record a longer one") from error
                self._has_ended = True
                return
            except TransportError as error:
                reason, news = str(error), []
                if not first:
                    raise SourceFailed(reason, 0.0) from error
                self._open_link()
            except BridgeError as error:
                raise _failed(error, 0.0) from error
            if _has_sound(news):
                self._begin(news)
                return
            self._untold_events += self._events(news)
            if self._pace.clock() >= until_s:
                raise SourceFailed(reason, 0.0)
            yield from self._silence()

    def _open_link(self) -> None:
        try:
            self._link.open()
        except BridgeError as error:
            raise SourceFailed(str(error), 0.0) from error

    def _begin(self, news: Sequence[News]) -> None:
        assert self._link.info is not None
        # A rate that is a fraction errs by half a hertz at most, 125 ppm at 4 kHz: no more than a crystal does.
        self.sample_rate_hz = round(self._link.info.sample_rate_hz)
        self._losses = self._losses or LossReport(self.name, self.sample_rate_hz)
        self._first_news, self._sound_s, self._returns = news, self._pace.clock(), True

    def _deliver(self) -> Generator[AudioBlock, None, SourceFailed | None]:
        if self._has_ended:
            return None
        yield from self._blocks_from(self._first_news)
        while True:
            try:
                news = self._link.read(TICK_S)
            except CaptureEnded:
                yield from self._blocks_from(self._link.pass_time())
                return None
            except BridgeError as error:
                failure = _failed(error, self._idle_s())
                yield from self._blocks_from(self._link.pass_time())
                return failure
            if _has_sound(news):
                self._sound_s = self._pace.clock()
            idle_s = self._idle_s()  # now: whoever makes windows of the blocks may take its time
            yield from self._blocks_from(news)
            if idle_s >= NO_SOUND_S:
                return SourceFailed(f"{self.name}: the device answers but sends no sound", idle_s)

    def _blocks_from(self, news: Sequence[News]) -> Iterator[AudioBlock]:
        """What came, in as few blocks as gaps allow; one without sound where none came."""
        events = [*self._untold_events, *self._events(news)]
        self._untold_events = []
        chunks = [each for each in news if isinstance(each, Chunk)]
        blocks = joined([block for chunk in chunks for block in self._blocks_from_chunk(chunk)])
        if self._losses is not None:
            events += self._losses.due(self._link.position)
        *before, last = blocks or [empty_block()]
        yield from before
        yield replace(last, events=tuple(events))

    def _blocks_from_chunk(self, chunk: Chunk) -> Iterator[AudioBlock]:
        self._note_loss(chunk)
        *pieces, last = self._pieces(chunk.lost_before + chunk.bridged)
        yield from pieces
        if len(chunk.samples):
            self._returns = False
            self._note_good_sound(len(chunk.samples))
        yield replace(block_from_chunk(chunk), lost_samples=last.lost_samples)

    def _note_loss(self, chunk: Chunk) -> None:
        """The events of the source tell of what was lost while it was away."""
        lost = chunk.lost_before + chunk.bridged
        if lost and not self._returns and self._losses is not None:
            cause = "restart" if chunk.anew else "link"
            self._losses.add(Loss(lost, cause), chunk.start_sample - chunk.lost_before)

    def _events(self, news: Sequence[News]) -> list[Event]:
        """What may be told now of what the device said."""
        told = [each for each in news if isinstance(each, Told) and _matters(each)]
        return [event for each in told if (event := self._maybe_event(each)) is not None]

    def _maybe_event(self, told: Told) -> Event | None:
        now_s = self._pace.clock()
        if len(self._told_s) == MAX_EVENTS_A_MINUTE and now_s - self._told_s[0] < 60:
            self._left_out += 1
            return None
        self._told_s.append(now_s)
        fields = {**told.fields, "untold": self._left_out} if self._left_out else told.fields
        self._left_out = 0
        at_s = told.sample / self.sample_rate_hz if told.sample else 0.0
        return Event(told.name, self.name, at_s, at_s, fields)

    def _pass_time(self) -> int:
        self._returns = True
        return sum(chunk.lost_before for chunk in self._link.pass_time() if isinstance(chunk, Chunk))

    def _untold(self) -> list[Event]:
        events, self._untold_events = self._untold_events, []
        return events + ([] if self._losses is None else self._losses.due(self._link.position, everything=True))

    def _position_s(self) -> float:
        return self._link.position / self.sample_rate_hz if self._link.position else 0.0

    def _idle_s(self) -> float:
        return self._pace.clock() - self._sound_s


def block_from_chunk(chunk: Chunk) -> AudioBlock:
    """The samples of a chunk that arrived; where the device says that it clipped, at least its loudest sample did."""
    block = block_from_channels(chunk.samples[chunk.bridged :], chunk.lost_before + chunk.bridged)
    if chunk.flags & AudioFlag.CLIPPED and block.samples.size and not block.clipped_at.size:
        return replace(block, clipped_at=np.array([np.abs(block.samples).argmax()], np.int64))
    return block


def joined(blocks: Sequence[AudioBlock]) -> list[AudioBlock]:
    """The same stream in as few blocks as gaps allow: each costs the pipeline as much as a millisecond of sound."""
    if len(blocks) < 2:
        return list(blocks)
    starts = [number for number, block in enumerate(blocks) if number == 0 or block.lost_samples]
    return [_one_block(blocks[start:end]) for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True)]


def window_result_from_result(result: Result) -> WindowResult:
    """What a device may show of a result."""
    names = {reason.name for reason in result.quality.reasons}
    flags = sum(flag for name, flag in RESULT_FLAGS.items() if name in names)
    label = result.label
    return WindowResult(
        window_ms=round((result.end_s - result.start_s) * 1000),
        label=NO_LABEL if label is None else LABELS.index(label),
        confidence_percent=0 if label is None else round(100 * result.probabilities[label]),
        flags=flags | (0 if result.quality.ok else ResultFlag.REFUSED),
    )


def _one_block(blocks: Sequence[AudioBlock]) -> AudioBlock:
    if len(blocks) == 1:
        return blocks[0]
    starts = np.cumsum([0, *(block.samples.size for block in blocks)])
    return AudioBlock(
        np.concatenate([block.samples for block in blocks]),
        blocks[0].lost_samples,
        np.concatenate([block.invalid_at + start for block, start in zip(blocks, starts, strict=False)]),
        np.concatenate([block.clipped_at + start for block, start in zip(blocks, starts, strict=False)]),
    )


def _has_sound(news: Sequence[News]) -> bool:
    return any(isinstance(each, Chunk) for each in news)


def _matters(told: Told) -> bool:
    severity = told.fields.get("severity")
    return not (isinstance(severity, int) and severity >= WORST_SEVERITY_LEFT_OUT)


def _failed(error: BridgeError, idle_s: float) -> SourceFailed:
    """Raises AudioDeviceError where trying again is of no use."""
    if isinstance(error, SoundChangedError):
        raise AudioDeviceError(str(error)) from error
    return SourceFailed(str(error), idle_s)
