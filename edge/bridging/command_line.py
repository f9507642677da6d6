"""What may be typed after `respire-edge bridge`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from firmware_bridge.messages import Codec

SHARE = re.compile(r"([0-9.eE+-]+)(%?)")
DURATION = re.compile(r"([0-9.]+)(ms|s|min|h|)")
SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "min": 60.0, "h": 3600.0}
URI = "serial:///dev/ttyACM0?baud=921600, tcp://:PORT, udp://:PORT, ble://NAME or a capture FILE.rbcap"
CODECS = {codec.name.lower().replace("_", "-"): codec for codec in Codec}


def add_bridge(parser: argparse.ArgumentParser) -> None:
    """The four commands and their options."""
    commands = parser.add_subparsers(dest="bridge_command", metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="ask a device what it is")
    _add_uri(info)
    info.add_argument("--json", action="store_true", help="one JSON object, for programs")
    monitor = commands.add_parser("monitor", help="watch a link: rate, losses of every kind, battery")
    _add_uri(monitor)
    _add_seconds(monitor)
    record = commands.add_parser("record", help="keep what a link carries, bit for bit, to be played again")
    _add_uri(record)
    record.add_argument("--output", type=Path, required=True, metavar="FILE.rbcap", help="what to write")
    _add_seconds(record)
    _add_simulate(commands.add_parser("simulate", help="play a recording as a device that follows PROTOCOL.md"))


def _add_uri(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help=URI)


def _add_seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=duration, metavar="TIME", help="end after so long; default: when stopped")


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FILE", help="a WAV or FLAC recording")
    parser.add_argument("--transport", choices=("pty", "tcp", "udp"), default="pty", help="default: pty")
    parser.add_argument(
        "--to",
        default="127.0.0.1:5555",
        metavar="HOST:PORT",
        help="where tcp and udp find the host; default: %(default)s",
    )
    parser.add_argument("--codec", choices=sorted(CODECS), default="pcm16", help="default: pcm16")
    parser.add_argument("--rate", type=_rate, metavar="HZ", help="that the device samples at; default: FILE's own")
    parser.add_argument("--frame", type=duration, metavar="TIME", help="sound in a frame; default: 10ms, or what fits")
    parser.add_argument("--loop", action="store_true", help="begin again at the end")
    parser.add_argument("--speed", type=_positive, default=1.0, metavar="N", help="times as fast as it sounds")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything that is random; default: 0")
    parser.add_argument(
        "--seconds", type=duration, metavar="TIME", help="end after so long; default: at the end of FILE"
    )
    faults = parser.add_argument_group("faults, none by default")
    faults.add_argument(
        "--loss", type=share, default=0.0, metavar="SHARE", help="frames that never arrive, such as 1%%"
    )
    faults.add_argument(
        "--burst", type=duration, default=0.0, metavar="TIME", help="lose everything for so long, such as 40ms ..."
    )
    faults.add_argument(
        "--burst-every", type=duration, default=5.0, metavar="TIME", help="... about once in so long; default: 5s"
    )
    faults.add_argument(
        "--corrupt",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="bytes that are changed, left out or added, such as 1e-4",
    )
    faults.add_argument("--duplicate", type=share, default=0.0, metavar="SHARE", help="frames that arrive twice")
    faults.add_argument(
        "--reorder", type=share, default=0.0, metavar="SHARE", help="frames that the next one overtakes; with udp"
    )
    faults.add_argument(
        "--jitter", type=duration, default=0.0, metavar="TIME", help="frames arrive up to so much late, such as 8ms"
    )
    faults.add_argument("--ppm", type=float, default=0.0, metavar="N", help="the device's crystal is so much fast")
    faults.add_argument(
        "--restart", type=duration, default=0.0, metavar="TIME", help="lose power once in so long, such as 30s"
    )


def share(text: str) -> float:
    """`1%`, `0.01` or `1e-2` as 0.01. A bare 1 is refused: who writes it means one per cent more often than all."""
    found = SHARE.fullmatch(text)
    try:
        value = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1 or (value == 1 and not text.endswith("%")):
        raise argparse.ArgumentTypeError(f"{text} is no share, such as 1% or 0.01")
    return value


def duration(text: str) -> float:
    """`40ms`, `0.04s` or `0.04` as 0.04 seconds."""
    found = DURATION.fullmatch(text)
    try:
        value = float(found[1]) * SECONDS[found[2]] if found else 0.0
    except ValueError:
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is no time, such as 40ms, 30s or 5min")
    return value


def _rate(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a rate in hertz, such as 4000")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
