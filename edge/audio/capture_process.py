"""The process that holds PortAudio, as the one that listens sees it: waited for, and ended whatever it does."""

from __future__ import annotations

import json
import os
import select
import subprocess
from contextlib import suppress

from edge.audio.capture_messages import Failed, Message, MessageReader
from edge.child_process import END_S, how_it_ended, start_program
from edge.errors import AudioDeviceError

PROGRAM = "edge.audio.portaudio_program"
ANSWER_S = 10.0
"""How long PortAudio may take; it tries each card, and a sound server may have to be woken, on a busy machine."""
READ_BYTES = 1 << 16


class CaptureProcess:
    """A running edge/audio/portaudio_program.py."""

    def __init__(self, command: str, **settings: str | float | bool | None) -> None:
        """Start it. Raises AudioDeviceError where the system refuses."""
        self._messages = MessageReader()
        try:
            self._process = start_program(
                PROGRAM,
                [command, json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # PortAudio's talk; what matters comes as a message
                bufsize=0,
            )
        except OSError as error:
            raise AudioDeviceError(
                f"sound input needs a process of its own, which cannot be started ({error}); end other programs"
            ) from error

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, waiting up to `timeout_s` for it; None if there is none. Failed once the process ended."""
        message = self._messages.next()
        while message is None and self._readable(timeout_s):
            received = os.read(self._out, READ_BYTES)
            if not received:
                return Failed(f"capturing ended by itself ({how_it_ended(self._process)}); start again, and report it")
            self._messages.feed(received)
            message = self._messages.next()
        return message

    def close(self) -> None:
        """End the process, also one that hangs. May be called twice."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)

    @property
    def _out(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _readable(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))


def no_answer(waited_s: float) -> str:
    """What to tell where PortAudio hangs."""
    return f"PortAudio did not answer within {waited_s:.0f} s; is a sound server frozen? Restart it, then start again"
