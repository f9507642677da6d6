"""A process that holds PortAudio, started by edge/audio/capture_process.py: `capture SETTINGS` or `list SETTINGS`.

Why a process: PortAudio keeps the list of devices from its start. Every call into it may hang for ever on a frozen
sound server. When a server dies under a stream, the callback thread of PortAudio 19.6 may spin, fill standard error
with millions of lines, and keep the closing of the stream from returning (seen with PulseAudio 16.1). A process can be
ended whatever it does. NumPy is not imported here: the process stays small.

Standard input: nothing; once it ends, so does the process. Standard output: messages. Standard error: PortAudio's talk.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict

from edge.audio.audio_input import choose_input, stable_selector
from edge.audio.capture_messages import Failed, Listed, Message, Opened, bytes_from_message
from edge.audio.capture_queue import CaptureQueue
from edge.audio.portaudio import BLOCK_S, open_stream, query_inputs, usable_rate_hz
from edge.errors import AudioDeviceError


def main(arguments: Sequence[str]) -> None:
    """Do what `arguments` say, and end the process: PortAudio's own clearing up may hang."""
    command, settings = arguments[0], json.loads(arguments[1])
    # A service manager signals every process of a service; the one that listens decides when this one ends.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_listener, daemon=True).start()
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries that print must not break the messages
    try:
        _capture(out, **settings) if command == "capture" else _list_inputs(out, **settings)
    except AudioDeviceError as error:
        _tell(out, Failed(str(error)))
    except BrokenPipeError:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be heard of, and nobody reads a traceback here
        _tell(out, Failed(f"capturing failed ({type(error).__name__}: {error}); please report it"))
    os._exit(0)


def _capture(out: int, selector: str, sample_rate_hz: int | None, queue_s: float) -> None:
    """Tell of every block that the input named `selector` delivers, at its own rate where none is given."""
    inputs = query_inputs()
    chosen = choose_input(selector, inputs)
    rate_hz = sample_rate_hz or usable_rate_hz(chosen)
    captured = CaptureQueue(max(1, round(queue_s / BLOCK_S)))
    stream = open_stream(chosen, rate_hz, captured)
    _tell(out, Opened(chosen.name, stable_selector(chosen, inputs), rate_hz, chosen.used_channels))
    while (sound := captured.get()) is not None:
        _tell(out, sound)
    _tell(out, Failed(f"mic:{chosen.name}: the sound card or the sound server ended the stream; check the cable"))
    del stream


def _list_inputs(out: int, try_rates: bool) -> None:
    _tell(out, Listed([asdict(entry) for entry in query_inputs(try_rates)]))


def _end_with_the_listener() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


def _tell(out: int, message: Message) -> None:
    rest = bytes_from_message(message)
    while rest:
        rest = rest[os.write(out, rest) :]


if __name__ == "__main__":
    main(sys.argv[1:])
