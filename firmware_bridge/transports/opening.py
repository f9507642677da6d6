"""From a URI to a way to a device.

`serial:///dev/ttyACM0?baud=921600`, `tcp://[HOST]:PORT`, `udp://[HOST]:PORT` (both listen; on this machine alone where
HOST is left out), `ble://NAME|ADDRESS`, and `FILE.rbcap`, a capture that is played as it was recorded, or with
`?speed=max` as fast as possible. `raw=s16le&rate=16000`, `&channels=2&channel=1`: bare samples come instead of frames.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from firmware_bridge.errors import BridgeError
from firmware_bridge.raw_format import RawFormat, maybe_raw_format
from firmware_bridge.raw_pcm import RawPcmTransport
from firmware_bridge.transports.replay import PlayedTime, Replay
from firmware_bridge.transports.serial_port import DEFAULT_BAUD, SerialTransport, require_pyserial
from firmware_bridge.transports.tcp import TcpTransport
from firmware_bridge.transports.transport import Transport
from firmware_bridge.transports.udp import UdpTransport

CAPTURE_SUFFIX = ".rbcap"
SCHEMES = ("serial", "tcp", "udp", "ble")
RAW_SETTINGS = frozenset({"raw", "rate", "channels", "channel"})
MAX_CHANNELS = 16

Clock = Callable[[], float]
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Way:
    """A device's URI, understood, and checked as far as that goes without opening it."""

    uri: str
    open: Callable[[], Transport]
    """Opens it, as often as it is lost; a capture goes on where it stood. Raises TransportError."""
    clock: Clock
    sleep: Sleep
    """What whoever listens keeps time by: as given, but a capture's own where it is played as fast as possible."""
    reorders: bool
    """Whether frames can overtake each other on it."""


def is_device_uri(uri: str) -> bool:
    """Whether it names a device or a capture rather than another source of sound."""
    scheme, separator, _ = uri.partition("://")
    return (scheme in SCHEMES and bool(separator)) or _without_settings(uri).endswith(CAPTURE_SUFFIX)


def open_transport(uri: str, *, clock: Clock, sleep: Sleep) -> Transport:
    """The way to the device, open. Raises TransportError, and BridgeError for a URI that cannot be."""
    return way_from_uri(uri, clock=clock, sleep=sleep).open()


def way_from_uri(uri: str, *, clock: Clock, sleep: Sleep) -> Way:
    """Raises BridgeError for a URI that cannot be, and where a library is missing that it needs."""
    if "://" not in uri and _without_settings(uri).endswith(CAPTURE_SUFFIX):
        return _way_to_capture(uri, clock, sleep)
    scheme = uri.split("://")[0]
    known = {"serial": _serial_opener, "tcp": _tcp_opener, "udp": _udp_opener, "ble": _ble_opener}.get(scheme)
    if known is None or "://" not in uri:
        raise BridgeError(f"{uri}: no such way to a device; give serial://, tcp://, udp://, ble:// or FILE.rbcap")
    settings = _settings(uri)
    written = _maybe_raw(uri, {name: settings.pop(name) for name in RAW_SETTINGS & settings.keys()})
    opener = known(uri, settings, clock)
    if settings:
        raise BridgeError(f"{uri}: {next(iter(settings))} is no setting of {scheme}://; leave it out")
    return Way(uri, opener if written is None else _raw_opener(opener, written), clock, sleep, scheme == "udp")


def _way_to_capture(uri: str, clock: Clock, sleep: Sleep) -> Way:
    settings = _settings(uri)
    speed = settings.pop("speed", "1")
    if speed not in ("1", "max") or settings:
        raise BridgeError(f"{uri}: a capture takes ?speed=max or ?speed=1 and nothing else")
    if speed == "max":
        played = PlayedTime()
        clock, sleep = played.clock, played.sleep
    return Way(uri, Replay(uri, Path(_without_settings(uri)), clock, sleep).open, clock, sleep, reorders=True)


def _serial_opener(uri: str, settings: dict[str, str], _: Clock) -> Callable[[], Transport]:
    path = unquote(_without_settings(uri).removeprefix("serial://"))
    baud = _number(uri, settings, "baud", DEFAULT_BAUD, range(50, 20_000_001))
    if not path:
        raise BridgeError(f"{uri}: which port? such as serial:///dev/ttyACM0")
    require_pyserial(uri)
    return lambda: SerialTransport(uri, path, baud)


def _tcp_opener(uri: str, _: dict[str, str], clock: Clock) -> Callable[[], Transport]:
    host, port = _host_and_port(uri)
    return lambda: TcpTransport(uri, host, port, clock)


def _udp_opener(uri: str, _: dict[str, str], clock: Clock) -> Callable[[], Transport]:
    host, port = _host_and_port(uri)
    return lambda: UdpTransport(uri, host, port, clock)


def _ble_opener(uri: str, _: dict[str, str], __: Clock) -> Callable[[], Transport]:
    # Here, as asyncio would delay the start of whatever opens something else.
    from firmware_bridge.transports.ble import BleTransport, require_bleak

    wanted = unquote(_without_settings(uri).removeprefix("ble://"))
    if not wanted:
        raise BridgeError(f"{uri}: which device? give its name or address")
    require_bleak(uri)
    return lambda: BleTransport(uri, wanted)


def _raw_opener(opener: Callable[[], Transport], written: RawFormat) -> Callable[[], Transport]:
    """One start of the device for every opening, and one warning for all of them."""
    boot_id = secrets.randbits(32)
    warnings = iter([True])
    return lambda: RawPcmTransport(opener(), written, boot_id, warns=next(warnings, False))


def _maybe_raw(uri: str, settings: dict[str, str]) -> RawFormat | None:
    if not settings:
        return None
    if not {"raw", "rate"} <= settings.keys():
        raise BridgeError(f"{uri}: bare samples need both raw and rate, such as ?raw=s16le&rate=16000")
    rate_hz = _number(uri, settings, "rate", 0, range(1, 1_000_000))
    channels = _number(uri, settings, "channels", 1, range(1, MAX_CHANNELS + 1))
    channel = _number(uri, settings, "channel", 1, range(1, channels + 1))
    written = maybe_raw_format(settings["raw"], rate_hz, channels, channel)
    if written is None:
        raise BridgeError(f"{uri}: raw={settings['raw']} is unknown; give s8, u8, or s16le, u16be, s24le, s32be, ...")
    return written


def _host_and_port(uri: str) -> tuple[str, int]:
    match = re.fullmatch(r"\w+://(?:\[([^\]]*)\]|([^/:@]*)):(\d{1,5})/?", _without_settings(uri))
    if match is None or not 0 < int(match[3]) < 1 << 16:
        scheme = uri.split("://")[0]
        raise BridgeError(f"{uri}: give {scheme}://:PORT to listen on this machine alone, or {scheme}://HOST:PORT")
    return match[1] or match[2] or "", int(match[3])


def _number(uri: str, settings: dict[str, str], name: str, default: int, allowed: range) -> int:
    text = settings.pop(name, str(default))
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) not in allowed:
        raise BridgeError(f"{uri}: {name}={text} cannot be; give {allowed[0]} to {allowed[-1]}")
    return int(text)


def _settings(uri: str) -> dict[str, str]:
    pairs = parse_qsl(uri.partition("?")[2], keep_blank_values=True)
    settings: Mapping[str, str] = dict(pairs)
    if len(settings) < len(pairs):
        raise BridgeError(f"{uri}: a setting stands there twice; leave one out")
    return dict(settings)


def _without_settings(uri: str) -> str:
    return uri.partition("?")[0]
