"""What frames mean: message types, their payloads, and both directions of each (PROTOCOL.md, sections 4 and 5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, TypeAlias

from firmware_bridge.frame import MAX_PAYLOAD_BYTES, Frame

MINOR_VERSION = 0


class MessageType(IntEnum):
    """Device to host below 0x80, host to device from there."""

    AUDIO = 0x01
    INFO = 0x02
    STATUS = 0x03
    EVENT = 0x04
    LOG = 0x05
    PONG = 0x06
    HELLO = 0x81
    START = 0x82
    STOP = 0x83
    RESULT = 0x85
    PING = 0x86


class Codec(IntEnum):
    """How the samples of an AUDIO frame are written."""

    PCM16 = 1
    PCM24 = 2
    MULAW = 3
    IMA_ADPCM = 4


class AudioFlag(IntFlag):
    """Of an AUDIO frame's samples."""

    CLIPPED = 1
    OVERRUN_BEFORE = 2
    LIFTED_OFF = 4
    LAST = 8


class EventCode(IntEnum):
    BUTTON = 1
    CONTACT_MADE = 2
    CONTACT_LOST = 3
    BATTERY_LOW = 4
    FAULT = 5


class DeviceState(IntEnum):
    IDLE = 0
    STREAMING = 1


class ResultFlag(IntFlag):
    REFUSED = 1
    """No label: the window's quality was not ok."""
    SILENCE = 2
    CLIPPING = 4
    GAP = 8


NO_LABEL = 255
RESULT_PAYLOAD = struct.Struct("<IBBBB")


@dataclass(frozen=True)
class Info:
    """What a device says of itself before any sound."""

    boot_id: int
    """32 random bits, new with each start of the device."""
    rate_numerator_hz: int
    rate_denominator: int = 1
    """The rate of its crystal, not of its data sheet: 16124/1, or 44100000/1001."""
    channels: int = 1
    bits: int = 16
    """That carry information; 24-bit samples of a 20-bit converter have 20."""
    minor_version: int = MINOR_VERSION
    firmware: str = ""
    model: str = ""
    device_id: bytes = b""
    """Opaque, at most 16 bytes; no serial number that stands on the device."""
    filter: str = ""
    """The device's own listening mode, such as `bell` or `diaphragm`."""
    gain_centibel: int = 0
    """Analogue gain in hundredths of a decibel."""
    codecs: bytes = bytes([Codec.PCM16])
    max_payload_bytes: int = MAX_PAYLOAD_BYTES

    @property
    def sample_rate_hz(self) -> float:
        """Declared by the device."""
        return self.rate_numerator_hz / self.rate_denominator


@dataclass(frozen=True)
class Status:
    """How a device is, once a second while it streams; None: it does not say."""

    battery_percent: int | None = None
    overruns: int | None = None
    """Blocks of sound that the device lost before it could send them, since it started."""
    buffer_percent: int | None = None
    temperature_decicelsius: int | None = None
    unsent_frames: int | None = None
    """Frames that its radio or port did not take, since it started."""
    state: int | None = None


@dataclass(frozen=True)
class DeviceEvent:
    """Something that happened at the device."""

    code: int
    text: str = ""


@dataclass(frozen=True)
class Log:
    """A line for those who write the firmware."""

    level: int
    """As syslog's severities (RFC 5424): 3 error, 4 warning, 6 information, 7 debugging."""
    text: str


@dataclass(frozen=True)
class Hello:
    """The host's greeting, which a device answers with INFO."""

    minor_version: int = MINOR_VERSION
    host: str = "respire-edge"


@dataclass(frozen=True)
class Start:
    """Ask for sound, from sample 0 on."""

    codec: int = Codec.PCM16


@dataclass(frozen=True)
class WindowResult:
    """What the host heard in one window, for a lamp or a display; never anything about a patient."""

    window_ms: int
    """Length of the window, which ends at the frame's `sample_index`."""
    label: int
    """0 normal, 1 crackle, 2 wheeze, 3 both, 255 none."""
    confidence_percent: int
    flags: int = 0


Tags = Mapping[int, tuple[str, str]]
INFO_TAGS: Tags = {
    1: ("minor_version", "B"), 2: ("firmware", "text"), 3: ("model", "text"), 4: ("device_id", "bytes"),
    5: ("boot_id", "I"), 6: ("rate_numerator_hz", "I"), 7: ("rate_denominator", "I"), 8: ("channels", "B"),
    9: ("bits", "B"), 10: ("filter", "text"), 11: ("gain_centibel", "h"), 12: ("codecs", "bytes"),
    13: ("max_payload_bytes", "H"),
}  # fmt: skip
"""Tag -> field, and how it is written: a `struct` code, UTF-8 text or plain bytes."""
STATUS_TAGS: Tags = {
    1: ("battery_percent", "B"), 2: ("overruns", "I"), 3: ("buffer_percent", "B"), 4: ("temperature_decicelsius", "h"),
    5: ("unsent_frames", "I"), 6: ("state", "B"),
}  # fmt: skip
HELLO_TAGS: Tags = {1: ("minor_version", "B"), 2: ("host", "text")}
START_TAGS: Tags = {1: ("codec", "B")}

Message: TypeAlias = Info | Status | DeviceEvent | Log | Hello | Start | WindowResult
BY_TAGS: Mapping[type[Message], tuple[MessageType, Tags]] = {
    Info: (MessageType.INFO, INFO_TAGS),
    Status: (MessageType.STATUS, STATUS_TAGS),
    Hello: (MessageType.HELLO, HELLO_TAGS),
    Start: (MessageType.START, START_TAGS),
}
"""The messages whose payload is a list of tags."""
TAGGED = {message_type: (kind, tags) for kind, (message_type, tags) in BY_TAGS.items()}


def frame_from_message(message: Message, *, seq: int = 0, sample_index: int = 0, t_us: int = 0) -> Frame:
    """The frame that carries `message`. Raises ValueError where a field does not fit its place."""
    try:
        message_type, payload = _payload(message)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{message} does not fit its frame: {error}") from error
    return Frame(message_type, seq, sample_index, t_us, count=len(payload), payload=payload)


def maybe_message(frame: Frame) -> Message | None:
    """The message of a frame that is not AUDIO, STOP, PING or PONG; None for an unknown type or a payload that is no
    such message. Unknown tags are skipped.
    """
    if frame.type in TAGGED:
        return _maybe_tagged(*TAGGED[MessageType(frame.type)], frame.payload)
    if frame.type in (MessageType.EVENT, MessageType.LOG) and frame.payload:
        number, text = frame.payload[0], frame.payload[1:].decode("utf-8", "replace")
        return DeviceEvent(number, text) if frame.type == MessageType.EVENT else Log(number, text)
    if frame.type == MessageType.RESULT and len(frame.payload) >= RESULT_PAYLOAD.size:
        window_ms, label, confidence, flags, _ = RESULT_PAYLOAD.unpack_from(frame.payload)
        return WindowResult(window_ms, label, confidence, flags)
    return None


def _payload(message: Message) -> tuple[MessageType, bytes]:
    if isinstance(message, WindowResult):
        packed = RESULT_PAYLOAD.pack(message.window_ms, message.label, message.confidence_percent, message.flags, 0)
        return MessageType.RESULT, packed
    if isinstance(message, DeviceEvent):
        return MessageType.EVENT, bytes([message.code]) + message.text.encode()
    if isinstance(message, Log):
        return MessageType.LOG, bytes([message.level]) + message.text.encode()
    message_type, tags = BY_TAGS[type(message)]
    return message_type, b"".join(_tagged(tags, message))


def _tagged(tags: Tags, message: Message) -> Iterator[bytes]:
    for tag, (name, written) in tags.items():
        value = getattr(message, name)
        if value is not None and value not in ("", b""):
            content = _written(value, written)
            yield bytes([tag, len(content)]) + content


def _written(value: Any, written: str) -> bytes:
    if written == "text":
        return bytes(value.encode())
    return bytes(value) if written == "bytes" else struct.pack(f"<{written}", value)


def _maybe_tagged(kind: type[Any], tags: Tags, payload: bytes) -> Message | None:
    values = {}
    for tag, content in _tag_values(payload):
        if tag in tags:
            name, written = tags[tag]
            if written in ("text", "bytes") or struct.calcsize(f"<{written}") == len(content):
                values[name] = _read(content, written)
    return _maybe_info(values) if kind is Info else kind(**values)


def _tag_values(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Each tag with its content, as far as the payload is whole."""
    at = 0
    while at + 2 <= len(payload) and at + 2 + payload[at + 1] <= len(payload):
        yield payload[at], payload[at + 2 : at + 2 + payload[at + 1]]
        at += 2 + payload[at + 1]


def _read(content: bytes, written: str) -> Any:
    if written == "text":
        return content.decode("utf-8", "replace")
    return content if written == "bytes" else struct.unpack(f"<{written}", content)[0]


def _maybe_info(values: Mapping[str, Any]) -> Info | None:
    """None unless it says which boot it is and how its sound is to be read."""
    if not {"boot_id", "rate_numerator_hz"} <= values.keys():
        return None
    info = Info(**values)
    return info if info.rate_numerator_hz and info.rate_denominator and info.channels else None
