"""Which devices the host takes (PROTOCOL.md, sections 8 and 10), and what it says to the others."""

from __future__ import annotations

from firmware_bridge.codecs import CODECS
from firmware_bridge.errors import ProtocolError, SoundChangedError
from firmware_bridge.frame import MAGIC, MAJOR_VERSION
from firmware_bridge.messages import Codec, Info

MIN_RATE_HZ, MAX_RATE_HZ, MAX_CHANNELS = 4000, 48000, 2


def maybe_codec(info: Info) -> int | None:
    """The first that a device offers and the host knows; None where there is none."""
    return next((codec for codec in info.codecs if codec in CODECS and CODECS[codec].takes(info.channels)), None)


def maybe_objection(name: str, info: Info, before: Info | None) -> ProtocolError | None:
    """Why the sound that `info` announces cannot be taken from the device at `name`, which said `before` before."""
    rate_hz = info.sample_rate_hz
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        return ProtocolError(f"{name}: the device sends {rate_hz:g} Hz; let it send {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")
    if info.channels > MAX_CHANNELS:
        return ProtocolError(f"{name}: the device sends {info.channels} channels; let it send one or two")
    if maybe_codec(info) is None:
        return ProtocolError(
            f"{name}: the device offers codecs {list(info.codecs)}; let it offer one of "
            f"{', '.join(f'{codec.value} ({codec.name})' for codec in Codec)}, IMA_ADPCM for one channel only"
        )
    if before is not None and rate_hz != before.sample_rate_hz:
        return SoundChangedError(
            f"{name}: the device sends {rate_hz:g} Hz now and sent {before.sample_rate_hz:g} Hz before; start again"
        )
    return None


def maybe_foreign_version(name: str, first_byte: int) -> ProtocolError | None:
    """What is said of a whole frame that begins with `first_byte`; None where it is of another protocol altogether."""
    if first_byte & 0xF0 != MAGIC:
        return None
    return ProtocolError(
        f"{name}: the device speaks version {first_byte & 0x0F} of the link, this program version {MAJOR_VERSION}; "
        "update the older of the two"
    )
