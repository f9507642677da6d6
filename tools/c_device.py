"""A device made of firmware_bridge/c/respire_bridge.h, for tests: obeys lines of text, says what it sent and heard."""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from binascii import crc_hqx
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.frame import CRC, CRC_START, DELIMITER, Frame, FrameDecoder, stuff
from firmware_bridge.messages import Message, MessageType, maybe_message
from tools.measure_c_header import PROGRAMS, Compiler

WHOLE = "memory 1049 1042 write"
"""The command for buffers that hold the longest frames."""


@dataclass(frozen=True)
class CDevice:
    """tests/test_firmware_bridge/c_programs/device.c, which says what the commands are, as one compiler makes it."""

    compiler: Compiler

    def obey(self, *commands: str) -> Said:
        """Start it anew and give it `commands`. Raises RuntimeError where it ends otherwise than well, such as by a
        sanitizer's finding.
        """
        command = [*self.compiler.runner, str(program_of(self.compiler))]
        ran = subprocess.run(command, input="\n".join(commands) + "\n", capture_output=True, text=True, timeout=120)
        if ran.returncode:
            raise RuntimeError(f"{self.compiler}: exit status {ran.returncode}: {ran.stderr}")
        return Said(tuple(ran.stdout.splitlines()))


@functools.cache
def program_of(compiler: Compiler) -> Path:
    """Built once a process, with sanitizers where there are any. Raises RuntimeError where it does not compile."""
    program = Path(_folder().name) / str(compiler).replace("/", "_")
    compiled = compiler.compile(PROGRAMS / "device.c", program, "-O1", *compiler.sanitizers)
    if compiled.returncode:
        raise RuntimeError(f"{compiler} does not compile device.c: {compiled.stderr}")
    return program


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="respire-bridge-")


@dataclass(frozen=True)
class Said:
    """What a device has written."""

    lines: tuple[str, ...]

    @property
    def wires(self) -> list[bytes]:
        """Each piece that it sent."""
        return [bytes.fromhex(line) for line in self.after("wire")]

    @property
    def frames(self) -> list[Frame]:
        """What the Python side reads from all that it sent."""
        return FrameDecoder().feed(b"".join(self.wires))

    @property
    def messages(self) -> list[Message | MessageType]:
        """What the frames mean; of those without a message of their own the type."""
        return [maybe_message(frame) or MessageType(frame.type) for frame in self.frames]

    @property
    def lengths(self) -> list[int]:
        """What each function that sends returned."""
        return [int(line) for line in self.after("length")]

    @property
    def heard(self) -> list[tuple[int, int, int, bytes]]:
        """Type, seq, sample_index and payload of each frame that it heard."""
        found = (re.fullmatch(r"(\d+) (\d+) (\d+) payload (\w*)-?", line) for line in self.after("frame"))
        return [(int(each[1]), int(each[2]), int(each[3]), bytes.fromhex(each[4])) for each in found if each]

    @property
    def counted(self) -> list[dict[str, int]]:
        """What each `show` said."""
        words = [["received", *line.split()] for line in self.after("received")]
        return [{name: int(value) for name, value in zip(each[::2], each[1::2], strict=True)} for each in words]

    def after(self, word: str) -> list[str]:
        """The rest of each line that begins with `word`."""
        return [line.removeprefix(word).strip() for line in self.lines if line.split(" ", 1)[0] == word]


def hexadecimal(data: bytes) -> str:
    """As the commands want it."""
    return data.hex() or "-"


def wire_of_body(body: bytes) -> bytes:
    """Any body, also one that no encoder writes, with its CRC on the wire."""
    return stuff(body + CRC.pack(crc_hqx(body, CRC_START))) + DELIMITER
