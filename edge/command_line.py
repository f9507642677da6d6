"""What may be typed after `respire-edge`, and what `--help` says about it."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NoReturn

from edge.bridging.command_line import add_bridge

SETUP_FAILED = 2

DESCRIPTION = """\
Classify breath sounds (normal, crackle, wheeze, both) beside a digital stethoscope, without a network.

RESEARCH USE ONLY: this is not a medical device; do not use it to diagnose or treat.
No vendor's radio link is supported: a stethoscope's name chooses its acoustic profile and its model, and the sound
comes through a sound card or from a file.
"""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors take one line, like every other error of the program."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave."""
        self.exit(SETUP_FAILED, f"respire-edge: {message}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = OneLineParser(
        prog="respire-edge", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_listen(commands.add_parser("listen", help="classify a live sound, a file or the demo as it sounds"))
    _add_score(commands.add_parser("score", help="classify recordings, as fast as the machine can"))
    _add_devices(commands.add_parser("devices", help="list the sound inputs and the known stethoscopes"))
    _add_doctor(commands.add_parser("doctor", help="check this machine, the models and the engine that runs them"))
    _add_bench(commands.add_parser("bench", help="measure how quick and how frugal the program is on this machine"))
    add_bridge(commands.add_parser("bridge", help="look at the link to a microcontroller, keep it, or play its device"))
    commands.add_parser("health", help="say whether the `listen` that beats into $RESPIRE_EDGE_HEARTBEAT goes on")
    return parser


def _add_listen(parser: argparse.ArgumentParser) -> None:
    _add_model_choice(parser, "stethoscope, such as littmann3200; `respire-edge devices` lists them")
    _add_operating_point(parser)
    parser.add_argument(
        "--source",
        default="mic",
        metavar="mic|mic:NAME|URI|FILE|demo",
        help="default input, input with NAME in its name or with an id that `respire-edge devices` lists, a "
        "microcontroller (serial:///dev/ttyACM0?baud=921600, tcp://HOST:PORT, udp://HOST:PORT, ble://NAME), WAV or "
        "FLAC file, capture (.rbcap), or simulated auscultation; default: mic",
    )
    parser.add_argument(
        "--max-restarts",
        type=_number_of_times,
        default=1200,
        metavar="N",
        help="where an input fails, give up after N failed attempts in a row to open it again, 3 seconds apart, with "
        "exit code 2; default: 1200, an hour",
    )
    parser.add_argument(
        "--wait-for-source",
        action="store_true",
        help="where an input is absent at the start, wait for it as for one that fails later; default: give up at once",
    )
    parser.add_argument("--engine", default="auto", metavar="auto|onnx|tensorrt", help="default: auto")
    parser.add_argument(
        "--hop", type=_positive, default=1.0, metavar="SECONDS", help="from result to result; default: 1"
    )
    parser.add_argument(
        "--output",
        metavar="FILE|DIR|-",
        help="write results to FILE (.jsonl or .csv), to a new file in DIR, or as JSON Lines to standard output",
    )
    parser.add_argument(
        "--no-realtime", dest="realtime", action="store_false", help="take a file or the demo as fast as possible"
    )
    _add_recording(parser)


def _add_recording(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="also keep the sound in DIR, as WAV files with the results beside them as JSON; default: nothing is kept. "
        "A microphone on a chest hears voices too: ask before you record, and guard DIR as health data",
    )
    parser.add_argument(
        "--record-max-age",
        type=_positive,
        default=7.0,
        metavar="DAYS",
        help="recordings in DIR that are older are deleted; default: 7",
    )
    parser.add_argument(
        "--record-max-size",
        type=_positive,
        default=8.0,
        metavar="GB",
        help="where all recordings in DIR would exceed it, the oldest are deleted; default: 8",
    )
    parser.add_argument(
        "--record-min-free",
        type=_positive,
        default=0.5,
        metavar="GB",
        help="recording stops, and listening goes on, where less is free on the disk; default: 0.5",
    )


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="WAV or FLAC file, or a folder of them")
    _add_model_choice(parser, "stethoscope, or `auto`: by the end of each ICBHI file name, such as _Litt3200.wav")
    _add_operating_point(parser)
    parser.add_argument(
        "--cycles",
        action="store_true",
        help="one result for each breathing cycle of the ICBHI annotation (.txt) beside a recording, and their score",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write results to FILE (.jsonl or .csv); default: JSON Lines to standard output",
    )
    parser.add_argument(
        "--hop", type=_positive, metavar="SECONDS", help="from window to window; default: half a window"
    )
    parser.add_argument("--jobs", type=_count, default=1, metavar="N", help="recordings at a time; default: 1")
    parser.add_argument("--resume", action="store_true", help="go on where a run with the same --output was cut off")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="also write one page for people: each recording's spectrogram with what was flagged in it",
    )
    parser.add_argument(
        "--report-audio", action="store_true", help="put the sound in the page, too: whoever has it can listen"
    )


def _add_devices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rates", action="store_true", help="ask each input which of the usual sample rates it accepts"
    )


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        nargs="?",
        const="auto",
        metavar="auto|onnx|tensorrt",
        help="run the golden inputs of each model through this engine, auto where none is named, and hold its answers "
        "against the model's own",
    )
    _add_model_choice(parser, "check only the model that this stethoscope gets; default: every model", required=False)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the folder that results shall go to; default: the current one"
    )
    parser.add_argument("--json", action="store_true", help="all findings as one JSON object, for programs")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    _add_model_choice(parser, "the stethoscope whose model is measured; default: littmann3200", required=False)
    parser.set_defaults(device="littmann3200")
    parser.add_argument("--engine", default="auto", metavar="auto|onnx|tensorrt", help="default: auto")
    parser.add_argument(
        "--source", type=Path, metavar="FILE", help="a recording to measure with; default: simulated breathing"
    )
    parser.add_argument("--seconds", type=_positive, default=600.0, metavar="N", help="how much sound; default: 600")
    parser.add_argument(
        "--hop", type=_positive, default=1.0, metavar="SECONDS", help="from result to result; default: 1"
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="feed the sound as fast as it would sound, which shows how the machine answers after a rest",
    )
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object, for programs")


def _add_model_choice(parser: argparse.ArgumentParser, device_help: str, *, required: bool = True) -> None:
    parser.add_argument("--device", required=required, metavar="NAME", help=device_help)
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="a bundle, or a folder of bundles; default: the ones that come along"
    )


def _add_operating_point(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operating-point",
        metavar="NAME",
        help="how readily sound is called abnormal, of the points that the model has: balanced (best mean of "
        "sensitivity and specificity), sensitive, specific; default: the model's own, balanced; a model without "
        "points names the likeliest class",
    )


def _positive(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _number_of_times(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 up")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value
