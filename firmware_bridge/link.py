"""A device at the end of a transport: bytes in, sound in its place and news out; results back.

Whoever uses it opens it, reads, and where that fails opens it again when it likes; the stream, the counters and what is
known of the device go on. In between, `pass_time` says how much is lost. `firmware_bridge/news.py` lists the news.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from struct import Struct

from firmware_bridge.acceptance import maybe_codec, maybe_foreign_version, maybe_objection
from firmware_bridge.clocks import DeviceClock, RateEstimate, clock_from_pong, signed
from firmware_bridge.codecs import samples_from_payload
from firmware_bridge.errors import BridgeError, TransportError
from firmware_bridge.frame import Frame, FrameCounters, FrameDecoder, encode_frame
from firmware_bridge.messages import (
    AudioFlag,
    Codec,
    DeviceEvent,
    Hello,
    Info,
    Log,
    MessageType,
    Start,
    Status,
    WindowResult,
    frame_from_message,
    maybe_message,
)
from firmware_bridge.news import News, Told, fields_of_info, told_of_contact, told_of_event, told_of_log, told_of_rate
from firmware_bridge.session import SILENCE_S, Action, Phase, Session, Trigger, greeted, heard, maybe_due, step
from firmware_bridge.timeline import MAX_HELD_S, MAX_LATE_FRAMES, Sound, Timeline, TimelineCounters
from firmware_bridge.transports.transport import Transport

RATE_CHECK_S = 1.0
OVERRUN_BEFORE, LIFTED_OFF, LAST = map(int, (AudioFlag.OVERRUN_BEFORE, AudioFlag.LIFTED_OFF, AudioFlag.LAST))
"""As plain numbers: an enumeration's own `&` is slow, and each frame of sound needs it."""
PING_PAYLOAD = Struct("<Q")
FROM_HOST = 0x80
"""Types from here on are the host's own; a device's end that echoes does not make it heard."""
MAX_MISSING_FRAMES = 1000
"""A seq that leaps further was counted anew."""


@dataclass
class LinkCounters:
    """Whole frames that came to nothing, or never came; `FrameCounters` and `TimelineCounters` count the rest."""

    missing_frames: int = 0
    """By their seq."""
    bad_payloads: int = 0
    """AUDIO whose length, count and codec disagree, INFO without what it must hold, STATUS and others cut short."""
    early_sound: int = 0
    """AUDIO before INFO."""
    overruns: int = 0
    """Frames of sound that say that some was lost before them."""
    unknown_types: int = 0
    openings: int = 0
    results: int = 0
    """Sent back."""


class Link:
    """One device. Not open at first."""

    def __init__(
        self, name: str, open_transport: Callable[[], Transport], clock: Callable[[], float], reorder_frames: int = 0
    ) -> None:
        """`clock`: seconds, never going back; `reorder_frames`: as for Timeline, 0 where frames cannot overtake."""
        self.name = name
        self.info: Info | None = None
        """What the device said of itself last."""
        self.status: Status | None = None
        self.counters = LinkCounters()
        self.round_trip_s: float | None = None
        self.sound_age_s: float | None = None
        """How old the latest sound was when it arrived, where the device has a clock."""
        self._open_transport = open_transport
        self._clock = clock
        self._reorder_frames = reorder_frames
        self._transport: Transport | None = None
        self._failure: BridgeError | None = None
        self._decoder = FrameDecoder()
        self._foreign = self._bytes_at_open = self._frames_at_open = 0
        self._session = Session()
        self._timeline: Timeline | None = None
        self._device_clock: DeviceClock | None = None
        self._said_seq = 0
        self._heard_seq: int | None = None
        self._ping: tuple[bytes, float] | None = None
        self._lifted_off = False
        self._rate_checked_s = 0.0
        self._rate_told = False

    @property
    def phase(self) -> Phase:
        """Where the talk with the device stands."""
        return self._session.phase

    @property
    def frame_counters(self) -> FrameCounters:
        """Of all openings."""
        return self._decoder.counters

    @property
    def timeline_counters(self) -> TimelineCounters:
        """Of the whole stream."""
        return self._timeline.counters if self._timeline else TimelineCounters()

    @property
    def position(self) -> int:
        """How many samples the stream is long, those that were lost included."""
        return self._timeline.position if self._timeline else 0

    def maybe_rate(self) -> RateEstimate | None:
        """The device's rate by the host's clock, once that is known."""
        return self._timeline.maybe_rate() if self._timeline else None

    def open(self) -> None:
        """Open the transport, anew where it is open, and say HELLO. Raises TransportError."""
        self.close()
        self._transport = self._open_transport()
        self._failure = None
        self._decoder.reset()
        self._heard_seq = self._ping = self._device_clock = None
        self._foreign = self._decoder.counters.foreign_versions
        self._bytes_at_open, self._frames_at_open = self._decoder.counters.bytes, self._decoder.counters.frames
        self.counters.openings += 1
        self._step(Trigger.OPENED, self._clock())

    def read(self, timeout_s: float) -> list[News]:
        """What came within `timeout_s`, in order. Raises TransportError where the transport is not open, failed or was
        silent for 2 s, and ProtocolError where the device cannot be understood; then the transport is closed.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._step(Trigger.LOST, self._clock())
            raise failure
        if self._transport is None:
            raise TransportError(f"{self.name}: not open")
        waits = self._timeline is not None and self._timeline.waits
        try:
            data = self._transport.read(min(timeout_s, MAX_HELD_S) if waits else timeout_s)
        except TransportError:
            self._step(Trigger.LOST, self._clock())
            raise
        return self._news(data, self._clock())

    def pass_time(self) -> list[News]:
        """What is lost by now, behind what was still held; nothing while the device streams."""
        if self._timeline is None or self.phase is Phase.STREAMING:
            return []
        return [*self._timeline.pass_time(self._clock())]

    def send_result(self, result: WindowResult, end_sample: int) -> None:
        """Tell the device of a window that ended before `end_sample` of the stream, if that was since it began anew."""
        index = self._timeline.maybe_index(end_sample) if self._timeline else None
        if self.phase is Phase.STREAMING and index is not None:
            self._say(frame_from_message(result, sample_index=index), self._clock())
            self.counters.results += 1

    def close(self) -> None:
        """Say STOP and close the transport. May be called twice."""
        self._step(Trigger.CLOSE, self._clock())

    def _news(self, data: bytes, now_s: float) -> list[News]:
        news: list[News] = []
        for frame in self._decoder.feed(data):
            news += self._take(frame, now_s)
        self._look_for_foreign_versions(now_s)
        if self._timeline is not None:
            news += self._timeline.overdue(now_s)
        due = maybe_due(self._session, now_s)
        if due is not None:
            self._step(due, now_s)
        return news + self._rate_news(now_s)

    def _take(self, frame: Frame, now_s: float) -> list[News]:
        if frame.type >= FROM_HOST:
            self.counters.unknown_types += 1
            return []
        self._session = heard(self._session, now_s)
        self._note_seq(frame.seq)
        if frame.type == MessageType.AUDIO:
            return self._take_sound(frame, now_s)
        if frame.type == MessageType.PONG:
            self._take_pong(frame, now_s)
            return []
        if frame.type not in MessageType.__members__.values():
            self.counters.unknown_types += 1
            return []
        return self._take_message(frame, now_s)

    def _take_message(self, frame: Frame, now_s: float) -> list[News]:
        message = maybe_message(frame)
        if isinstance(message, Info):
            return self._greet(message, now_s)
        if isinstance(message, Status):
            self.status = message
        elif isinstance(message, DeviceEvent):
            return [told_of_event(message, self.position)]
        elif isinstance(message, Log):
            return [told_of_log(message, self.position)]
        else:
            self.counters.bad_payloads += 1
        return []

    def _take_sound(self, frame: Frame, now_s: float) -> list[News]:
        if self._timeline is None or self.info is None or self.phase not in (Phase.STARTING, Phase.STREAMING):
            self.counters.early_sound += 1
            return []
        samples = samples_from_payload(frame.codec, frame.payload, frame.count, self.info.channels)
        if samples is None:
            self.counters.bad_payloads += 1
            return []
        self._step(Trigger.AUDIO, now_s)
        self.counters.overruns += bool(frame.flags & OVERRUN_BEFORE)
        if frame.t_us and self._device_clock:
            self.sound_age_s = now_s - self._device_clock.host_time_s(frame.t_us)
        sound = Sound(frame.sample_index, frame.seq, samples, frame.flags)
        return [*self._flag_news(frame.flags), *self._timeline.place(sound, now_s)]

    def _flag_news(self, flags: int) -> list[News]:
        news: list[News] = []
        lifted_off = bool(flags & LIFTED_OFF)
        if lifted_off != self._lifted_off:
            self._lifted_off = lifted_off
            news.append(told_of_contact(not lifted_off, self.position))
        if flags & LAST:
            news.append(Told("last-frame", self.position))
        return news

    def _take_pong(self, frame: Frame, now_s: float) -> None:
        if self._ping is None or frame.payload != self._ping[0]:
            return
        clock = clock_from_pong(frame.t_us, self._ping[1], now_s)
        self.round_trip_s, self._ping = clock.round_trip_s, None
        self._device_clock = clock if frame.t_us else None

    def _greet(self, info: Info, now_s: float) -> list[News]:
        objection = maybe_objection(self.name, info, self.info)
        if objection is None:
            self._timeline = self._timeline or Timeline(info.sample_rate_hz, self._reorder_frames)
        known, self.info = self.info, info if objection is None else self.info
        news: list[News] = []
        self._session, triggers = greeted(self._session, info, usable=objection is None)
        for trigger in triggers:
            news += self._step(trigger, now_s, objection)
        if objection is None and info != known:
            news.append(Told("device-info", self.position, fields_of_info(info, maybe_codec(info))))
        return news

    def _look_for_foreign_versions(self, now_s: float) -> None:
        counters = self._decoder.counters
        if counters.foreign_versions > self._foreign and counters.last_foreign_version is not None:
            self._foreign = counters.foreign_versions
            refusal = maybe_foreign_version(self.name, counters.last_foreign_version)
            if refusal is not None:
                self._step(Trigger.FOREIGN, now_s, refusal)

    def _rate_news(self, now_s: float) -> list[News]:
        if self._rate_told or now_s - self._rate_checked_s < RATE_CHECK_S:
            return []
        self._rate_checked_s = now_s
        estimate = self.maybe_rate()
        told = told_of_rate(estimate, self.position) if estimate else None
        self._rate_told = told is not None
        return [told] if told else []

    def _step(self, trigger: Trigger, now_s: float, objection: BridgeError | None = None) -> list[News]:
        """Do what the table says; `objection`: what is raised where it says to refuse."""
        self._session, actions = step(self._session, trigger, now_s)
        news: list[News] = []
        for action in actions:
            news += self._act(action, now_s)
        if Action.REFUSE in actions:
            self._failure = objection
        elif trigger is Trigger.SILENCE:
            self._failure = self._silence()
        return news

    def _act(self, action: Action, now_s: float) -> list[News]:
        if action is Action.SAY_HELLO:
            self._say(frame_from_message(Hello()), now_s)
        elif action is Action.SAY_START and self._timeline is not None and self.info is not None:
            self._timeline.begin()
            self._say(frame_from_message(Start(maybe_codec(self.info) or Codec.PCM16)), now_s)
        elif action is Action.SAY_PING:
            self._ping = PING_PAYLOAD.pack(round(now_s * 1e9) % (1 << 64)), now_s
            self._say(Frame(MessageType.PING, count=PING_PAYLOAD.size, payload=self._ping[0]), now_s)
        elif action is Action.SAY_STOP:
            self._say(Frame(MessageType.STOP), now_s)
        elif action is Action.CLOSE_TRANSPORT and self._transport is not None:
            self._transport.close()
            self._transport = None
        elif action is Action.TELL_RESTART:
            return [Told("device-restarted", self.position)]
        elif action is Action.WARN_NEWER and self.info is not None:
            return [Told("newer-version", self.position, {"minor_version": self.info.minor_version})]
        return []

    def _say(self, frame: Frame, now_s: float) -> None:
        """A failure is kept for the next `read`: what came before it shall not be lost."""
        if self._transport is None:
            return
        self._said_seq = (self._said_seq + 1) % (1 << 16)
        said = replace(frame, seq=self._said_seq, t_us=round(now_s * 1e6) % (1 << 32))
        try:
            self._transport.write(encode_frame(said))
        except TransportError as error:
            self._failure = self._failure or error

    def _silence(self) -> TransportError:
        counters = self._decoder.counters
        if counters.bytes > self._bytes_at_open and counters.frames == self._frames_at_open:
            return TransportError(
                f"{self.name}: {counters.bytes - self._bytes_at_open} bytes came, but no frame; see whether the device "
                "speaks PROTOCOL.md and, on a serial port, at this baud rate"
            )
        return TransportError(f"{self.name}: no frame for {SILENCE_S:g} s; see whether the device is on and connected")

    def _note_seq(self, seq: int) -> None:
        """Count what is missing between this frame and the latest one."""
        ahead = 1 if self._heard_seq is None else signed(seq - self._heard_seq, 16)
        if -MAX_LATE_FRAMES <= ahead < 0:
            self.counters.missing_frames -= self.counters.missing_frames > 0
        elif ahead:
            self.counters.missing_frames += ahead - 1 if 0 < ahead < MAX_MISSING_FRAMES else 0
            self._heard_seq = seq
